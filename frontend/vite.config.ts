// One script, one style, fixed names: the server knows them, and an export puts both into one file.
import { defineConfig } from "vite";

export default defineConfig({
  base: "/",
  build: {
    outDir: "../agentsight_rx/runtime/web/dist",
    emptyOutDir: true,
    modulePreload: false,
    assetsInlineLimit: 0,
    cssCodeSplit: false,
    target: "es2022",
    rollupOptions: {
      output: {
        entryFileNames: "assets/app.js",
        assetFileNames: "assets/app[extname]",
        codeSplitting: false,
      },
    },
  },
});
