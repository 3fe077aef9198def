import react from "@vitejs/plugin-react";
import { defineConfig } from "vite";

// Assets stay files of their own: a Content-Security-Policy without `data:` holds for everything but the chart's canvas.
export default defineConfig({
  plugins: [react()],
  build: {
    outDir: "../../dist/dashboards/web",
    emptyOutDir: true,
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    chunkSizeWarningLimit: 1600,
  },
  server: { proxy: { "/api": "http://127.0.0.1:8080" } },
});
