/** Affine and elastic distortion of points, in pixels. */
import type { Random } from '../../core/index.ts'

/** Moves a point (x, y) in place: reads and writes `point[0]` and `point[1]`. */
export type Warp = (point: [number, number]) => void

/**
 * A bell-shaped number with mean 0 and variance 1, never beyond ±3.5: the sum of four uniform ones. Only
 * additions and multiplications, so the same bits everywhere.
 */
export function bell(random: Random): number {
  const sum = random.uniform() + random.uniform() + random.uniform() + random.uniform()
  return (sum - 2) * 1.7320508075688772
}

export interface AffineOptions {
  /** tan of half the rotation angle; a rotation without sine and cosine. */
  readonly halfTurn: number
  readonly scaleX: number
  readonly scaleY: number
  /** Horizontal shift per unit of height: slant. */
  readonly shear: number
  readonly shiftX: number
  readonly shiftY: number
}

/** Scale, then slant, then rotation about the origin, then shift. */
export function affineWarp(options: AffineOptions): Warp {
  const { halfTurn, scaleX, scaleY, shear, shiftX, shiftY } = options
  const square = halfTurn * halfTurn
  const cosine = (1 - square) / (1 + square)
  const sine = (2 * halfTurn) / (1 + square)
  return point => {
    const y = point[1] * scaleY
    const x = point[0] * scaleX - shear * y
    point[0] = cosine * x - sine * y + shiftX
    point[1] = sine * x + cosine * y + shiftY
  }
}

const NODES = 5

/**
 * A smooth random displacement over [0, size]²: random vectors on a coarse grid, blended with a cubic ease
 * between its nodes.
 */
export function elasticWarp(random: Random, size: number, strength: number): Warp {
  const field = new Float64Array(NODES * NODES * 2)
  for (let i = 0; i < field.length; i++) field[i] = strength * bell(random)
  const spacing = size / (NODES - 1)
  return point => {
    const gridX = Math.max(0, Math.min(NODES - 1.001, point[0] / spacing))
    const gridY = Math.max(0, Math.min(NODES - 1.001, point[1] / spacing))
    const column = Math.floor(gridX)
    const row = Math.floor(gridY)
    const u = ease(gridX - column)
    const v = ease(gridY - row)
    const corner = (row * NODES + column) * 2
    for (let axis = 0; axis < 2; axis++) {
      const top = field[corner + axis]! * (1 - u) + field[corner + 2 + axis]! * u
      const below = corner + NODES * 2
      const bottom = field[below + axis]! * (1 - u) + field[below + 2 + axis]! * u
      point[axis] = point[axis]! + top * (1 - v) + bottom * v
    }
  }
}

function ease(t: number): number {
  return t * t * (3 - 2 * t)
}
