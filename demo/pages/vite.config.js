// Two pages, each an own entry; the names are plain since the APIs serve them with no-store.
import { defineConfig } from "vite";

export default defineConfig({
  build: {
    target: "es2021",
    modulePreload: false,
    chunkSizeWarningLimit: 800,
    rollupOptions: {
      input: ["shop.html", "mes.html"],
      output: {
        entryFileNames: "assets/[name].js",
        chunkFileNames: "assets/common.js",
        assetFileNames: "assets/[name][extname]",
        manualChunks: (id) => (id.includes("node_modules") ? "common" : undefined),
      },
    },
  },
});
