/** From PNG's filtered scan lines to 8-bit samples. */
import { SternaError } from '../core/index.ts'

export interface PngImage {
  readonly width: number
  readonly height: number
  /** 1 grey, 2 grey and alpha, 3 RGB, 4 RGBA. */
  readonly channels: number
  /** [height, width, channels], 8 bits a sample. */
  readonly data: Uint8Array
}

export interface PngHeader {
  readonly width: number
  readonly height: number
  /** Bits a sample. */
  readonly depth: number
  /** 0 grey, 2 RGB, 3 palette, 4 grey and alpha, 6 RGBA. */
  readonly colorType: number
  readonly isInterlaced: boolean
}

/** A pass of the image: pixels (x0 + i·dx, y0 + j·dy). */
interface Pass {
  readonly x0: number
  readonly y0: number
  readonly dx: number
  readonly dy: number
}

const WHOLE: readonly Pass[] = [{ x0: 0, y0: 0, dx: 1, dy: 1 }]

const ADAM7: readonly Pass[] = [
  { x0: 0, y0: 0, dx: 8, dy: 8 },
  { x0: 4, y0: 0, dx: 8, dy: 8 },
  { x0: 0, y0: 4, dx: 4, dy: 8 },
  { x0: 2, y0: 0, dx: 4, dy: 4 },
  { x0: 0, y0: 2, dx: 2, dy: 4 },
  { x0: 1, y0: 0, dx: 2, dy: 2 },
  { x0: 0, y0: 1, dx: 1, dy: 2 },
]

const SAMPLES_OF_COLOR_TYPE: Readonly<Record<number, number>> = { 0: 1, 2: 3, 3: 1, 4: 2, 6: 4 }

/** Bytes of the image data after expansion: each scan line and its filter type, pass by pass. */
export function scanLineBytes(header: PngHeader): number {
  return passesOf(header).reduce((sum, { rows, rowBytes }) => sum + rows * (1 + rowBytes), 0)
}

/**
 * @param raw the expanded image data, scanLineBytes long; filters are undone in place
 * @param palette RGB triples, given for colour type 3
 * @param transparency the tRNS chunk: alpha per palette entry, or the one transparent colour
 */
export function unpackPixels(
  header: PngHeader,
  raw: Uint8Array,
  palette: Uint8Array | undefined,
  transparency: Uint8Array | undefined,
): PngImage {
  const { width, height, depth, colorType } = header
  const samples = SAMPLES_OF_COLOR_TYPE[colorType]!
  const put = createPixelWriter(header, palette, transparency)
  const data = new Uint8Array(width * height * put.channels)
  const pixel = new Array<number>(samples)
  let position = 0
  for (const { x0, y0, dx, dy, columns, rows, rowBytes } of passesOf(header)) {
    let above: Uint8Array = new Uint8Array(rowBytes)
    for (let row = 0; row < rows; row++) {
      const line = raw.subarray(position + 1, position + 1 + rowBytes)
      undoFilter(raw[position]!, line, above, Math.max(1, (depth * samples) >> 3))
      for (let column = 0; column < columns; column++) {
        for (let i = 0; i < samples; i++) pixel[i] = sampleAt(line, column * samples + i, depth)
        put.write(data, ((y0 + row * dy) * width + x0 + column * dx) * put.channels, pixel)
      }
      above = line
      position += 1 + rowBytes
    }
  }
  return { width, height, channels: put.channels, data }
}

/** How one pixel's samples become bytes. */
interface PixelWriter {
  readonly channels: number
  write(data: Uint8Array, at: number, pixel: readonly number[]): void
}

function createPixelWriter(
  { depth, colorType }: PngHeader,
  palette: Uint8Array | undefined,
  transparency: Uint8Array | undefined,
): PixelWriter {
  if (colorType === 3) {
    const colors = palette ?? new Uint8Array(0)
    if (transparency && transparency.length * 3 > colors.length)
      throw damaged('more alpha values than colours')
    return {
      channels: transparency ? 4 : 3,
      write(data, at, [index]) {
        if (index! * 3 >= colors.length) throw damaged(`colour ${index} of a palette of ${colors.length / 3}`)
        for (let i = 0; i < 3; i++) data[at + i] = colors[index! * 3 + i]!
        if (transparency) data[at + 3] = transparency[index!] ?? 255
      },
    }
  }
  const samples = SAMPLES_OF_COLOR_TYPE[colorType]!
  const scale = 255 / (2 ** depth - 1)
  const hasAlpha = colorType === 4 || colorType === 6
  if (transparency && (hasAlpha || transparency.length !== 2 * samples))
    throw damaged('transparency that does not fit')
  const transparent = transparency && Array.from({ length: samples }, (_, i) => sampleAt(transparency, i, 16))
  return {
    channels: samples + (transparent ? 1 : 0),
    write(data, at, pixel) {
      for (let i = 0; i < samples; i++) data[at + i] = Math.round(pixel[i]! * scale)
      if (transparent) data[at + samples] = pixel.every((sample, i) => sample === transparent[i]) ? 0 : 255
    },
  }
}

/** Adds each byte's prediction from its left, upper and upper-left neighbours (PNG section 9). */
function undoFilter(type: number, line: Uint8Array, above: Uint8Array, pixelBytes: number): void {
  for (let i = 0; i < line.length; i++) {
    const a = i < pixelBytes ? 0 : line[i - pixelBytes]!
    const b = above[i]!
    const c = i < pixelBytes ? 0 : above[i - pixelBytes]!
    switch (type) {
      case 0:
        return
      case 1:
        line[i] = line[i]! + a
        break
      case 2:
        line[i] = line[i]! + b
        break
      case 3:
        line[i] = line[i]! + ((a + b) >> 1)
        break
      case 4:
        line[i] = line[i]! + paeth(a, b, c)
        break
      default:
        throw damaged(`filter type ${type}`)
    }
  }
}

function paeth(a: number, b: number, c: number): number {
  const toA = Math.abs(b - c)
  const toB = Math.abs(a - c)
  const toC = Math.abs(a + b - 2 * c)
  return toA <= toB && toA <= toC ? a : toB <= toC ? b : c
}

/** The sample at an index of a line, most significant bits first. */
function sampleAt(line: Uint8Array, index: number, depth: number): number {
  if (depth === 8) return line[index]!
  if (depth === 16) return (line[2 * index]! << 8) | line[2 * index + 1]!
  const bit = index * depth
  return (line[bit >> 3]! >> (8 - depth - (bit & 7))) & ((1 << depth) - 1)
}

function passesOf({ width, height, depth, colorType, isInterlaced }: PngHeader) {
  return (isInterlaced ? ADAM7 : WHOLE).map(pass => {
    const columns = Math.max(0, Math.ceil((width - pass.x0) / pass.dx))
    // A pass without columns has no scan lines either.
    const rows = columns === 0 ? 0 : Math.max(0, Math.ceil((height - pass.y0) / pass.dy))
    return {
      ...pass,
      columns,
      rows,
      rowBytes: Math.ceil((columns * depth * SAMPLES_OF_COLOR_TYPE[colorType]!) / 8),
    }
  })
}

function damaged(message: string): SternaError {
  return new SternaError('file/damaged', `png: ${message}`)
}
