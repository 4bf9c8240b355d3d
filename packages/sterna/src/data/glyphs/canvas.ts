/** Draws anti-aliased strokes of varying width into a square of ink values. */

export class Canvas {
  readonly size: number
  /** [size, size], 0 (no ink) to 1. */
  readonly ink: Float64Array

  constructor(size: number) {
    this.size = size
    this.ink = new Float64Array(size * size)
  }

  clear(): void {
    this.ink.fill(0)
  }

  /**
   * A line from (x0, y0) to (x1, y1) whose half width goes from r0 to r1, with round ends, in pixels; pixel
   * centres lie at whole numbers. `softness` is the width of the edge over which ink fades out.
   */
  line(
    x0: number,
    y0: number,
    r0: number,
    x1: number,
    y1: number,
    r1: number,
    ink: number,
    softness: number,
  ): void {
    const { size } = this
    const reach = Math.max(r0, r1) + softness / 2
    const left = Math.max(0, Math.ceil(Math.min(x0, x1) - reach))
    const right = Math.min(size - 1, Math.floor(Math.max(x0, x1) + reach))
    const top = Math.max(0, Math.ceil(Math.min(y0, y1) - reach))
    const bottom = Math.min(size - 1, Math.floor(Math.max(y0, y1) + reach))
    const dx = x1 - x0
    const dy = y1 - y0
    const lengthSquared = dx * dx + dy * dy
    const perLength = lengthSquared > 0 ? 1 / lengthSquared : 0
    const reachSquared = reach * reach
    for (let y = top; y <= bottom; y++) {
      for (let x = left; x <= right; x++) {
        const along = ((x - x0) * dx + (y - y0) * dy) * perLength
        const t = Math.max(0, Math.min(1, along))
        const offX = x - x0 - t * dx
        const offY = y - y0 - t * dy
        const distanceSquared = offX * offX + offY * offY
        if (distanceSquared >= reachSquared) continue
        const cover = (r0 + t * (r1 - r0) - Math.sqrt(distanceSquared)) / softness + 0.5
        const value = ink * Math.min(1, cover)
        const place = y * size + x
        if (value > this.ink[place]!) this.ink[place] = value
      }
    }
  }
}
