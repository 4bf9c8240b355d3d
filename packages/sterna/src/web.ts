/** Sterna in a browser: all of `sterna`, and an engine that trains there. */
export { createWebEngine, type WebEngineOptions } from './engine/web/create-web-engine.ts'
export * from './index.ts'
