#!/usr/bin/env node
process.stdout.write("obieg\n");
