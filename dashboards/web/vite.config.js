import react from "@vitejs/plugin-react";
import { defineConfig } from "vite";

export default defineConfig({
  plugins: [react()],
  build: { outDir: "../../dist/dashboards/web", emptyOutDir: true, chunkSizeWarningLimit: 1600 },
});
