/** IDX, the format of MNIST: two zero bytes, element type, number of axes, big-endian sizes, elements. */
import { type Tensor, tensor } from '../core/index.ts'
import { ByteReader } from './byte-reader.ts'
import { elementCount } from './elements.ts'

const UNSIGNED_BYTE = 8
const MAX_AXES = 4

/**
 * Reads an IDX file of unsigned bytes with 1 to 4 axes.
 * @throws SternaError 'file/bad-magic', 'file/truncated', 'file/damaged' or 'file/unsupported'
 */
export function readIdx(bytes: Uint8Array): Tensor<'u8'> {
  const reader = new ByteReader('idx', bytes)
  const magic = reader.u32BigEndian('magic')
  if (magic >>> 16 !== 0) throw reader.error('file/bad-magic', 'expected two zero bytes', 0)
  const type = magic >>> 8
  if (type !== UNSIGNED_BYTE)
    throw reader.error('file/unsupported', `element type ${type}, known is 8 (u8)`, 2)
  const rank = magic & 0xff
  if (rank < 1 || rank > MAX_AXES)
    throw reader.error('file/unsupported', `${rank} axes, known are 1 to ${MAX_AXES}`, 3)
  const shape = Array.from({ length: rank }, (_, axis) => reader.u32BigEndian(`size of axis ${axis}`))
  const count = elementCount(shape)
  if (count === undefined) throw reader.error('file/damaged', `[${shape}] is larger than any file`, 4)
  const elements = reader.take(count, `elements, [${shape}]`)
  if (reader.remaining > 0) throw reader.error('file/damaged', `${reader.remaining} bytes after the elements`)
  return tensor('u8', shape, new Uint8Array(elements))
}
