// Fixed names, since the server knows them: the script of an opened session, a second one that it loads when another part is first
// shown, and one style. `--mode file` makes one script of both, for an export that is one file.
import { defineConfig } from "vite";

export default defineConfig(({ mode }) => ({
  base: "/",
  build: {
    outDir: "../agentsight_rx/runtime/web/dist",
    emptyOutDir: mode !== "file",
    modulePreload: false,
    assetsInlineLimit: 0,
    cssCodeSplit: false,
    target: "es2022",
    rollupOptions: {
      ...(mode === "file" ? { input: "src/main.tsx" } : {}),
      output: {
        entryFileNames: mode === "file" ? "assets/whole.js" : "assets/app.js",
        chunkFileNames: "assets/[name].js",
        assetFileNames: "assets/app[extname]",
        ...(mode === "file" ? { codeSplitting: false } : {}),
      },
    },
  },
}));
