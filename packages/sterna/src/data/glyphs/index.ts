export { createGlyphs, type GlyphsOptions, parseGlyphsOptions } from './glyphs.ts'
