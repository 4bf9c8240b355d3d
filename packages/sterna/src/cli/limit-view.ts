/** --limit: the first images of a set. */
import type { ImageView } from '../data/index.ts'

/** All of them where there are fewer. */
export function limitView(view: ImageView, limit = view.count): ImageView {
  const count = Math.min(limit, view.count)
  return { source: view.source, indices: view.indices.subarray(0, count), count }
}
