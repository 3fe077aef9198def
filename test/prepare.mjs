// Installs the Debian packages that the tests use, as root; otherwise says which to install.
import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";

const packages = {
  "/usr/bin/influxd": "influxdb",
  "/usr/bin/victoria-metrics": "victoria-metrics",
  "/usr/bin/mosquitto_pub": "mosquitto-clients",
  "/usr/bin/curl": "curl",
  "/usr/sbin/mosquitto": "mosquitto",
  "/usr/bin/chromium": "chromium",
  "/usr/bin/strace": "strace",
  "/usr/bin/faketime": "faketime",
};
const missing = Object.entries(packages)
  .filter(([file]) => !existsSync(file))
  .map(([, name]) => name);
if (missing.length > 0) {
  if (process.getuid?.() !== 0) {
    process.stderr.write(`the tests need Debian's packages: apt-get install ${missing.join(" ")}\n`);
    process.exit(1);
  }
  const env = { ...process.env, DEBIAN_FRONTEND: "noninteractive", RUNLEVEL: "1" };
  const apt = (...args) => execFileSync("apt-get", args, { stdio: ["ignore", 2, 2], env });
  apt("update", "-q");
  apt("install", "-y", "-q", "--no-install-recommends", ...missing);
}
