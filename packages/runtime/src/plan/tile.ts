/** How a map of outputs is cut into tiles of at most eight vectors, the accumulators of one kernel call. */

export const maxAccumulators = 8
const lanesPerVector = 4

export interface Tiling {
  /** Rows of one tile. */
  readonly rows: number
  /** Where in a tile's row each vector begins; the last may overlap the one before it. */
  readonly vectors: readonly number[]
  /** Lanes that are stored: 4, or fewer where the map is narrower than a vector. */
  readonly lanes: number
  /** First row and column of every tile; the last ones overlap their neighbours rather than overrun the map. */
  readonly tiles: readonly (readonly [row: number, column: number])[]
}

/** Walking one list entry costs about as much as this many vector additions. */
const entryCost = 2

/** The cheapest tiling: fewest vectors computed twice, lists walked as seldom as possible. */
export function chooseTiling(height: number, width: number): Tiling {
  const vectorsAcross = Math.ceil(width / lanesPerVector)
  let best = { cost: Number.POSITIVE_INFINITY, rows: 1, vectors: 1 }
  for (let vectors = 1; vectors <= Math.min(maxAccumulators, vectorsAcross); vectors++) {
    for (let rows = 1; rows <= Math.min(Math.floor(maxAccumulators / vectors), height); rows++) {
      const tiles = Math.ceil(height / rows) * Math.ceil(vectorsAcross / vectors)
      const cost = tiles * (rows * vectors + entryCost)
      if (cost < best.cost) best = { cost, rows, vectors }
    }
  }
  const lanes = Math.min(width, lanesPerVector)
  const tileWidth = Math.min(best.vectors * lanesPerVector, width)
  return {
    rows: best.rows,
    vectors: Array.from({ length: best.vectors }, (_, i) =>
      Math.max(0, Math.min(i * lanesPerVector, tileWidth - lanesPerVector)),
    ),
    lanes,
    tiles: starts(height, best.rows).flatMap(row =>
      starts(width, tileWidth).map(column => [row, column] as const),
    ),
  }
}

function starts(size: number, step: number): number[] {
  return Array.from({ length: Math.ceil(size / step) }, (_, i) => Math.min(i * step, size - step))
}
