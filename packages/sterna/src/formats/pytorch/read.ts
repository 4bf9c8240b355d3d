/** PyTorch checkpoints (.pt, .pth, .th) without Python, and without running what is in them. */
import { SternaError } from '../../core/index.ts'
import { isZip } from '../zip.ts'
import { readPytorchArchive } from './archive.ts'
import { isLegacyPytorch, readLegacyPytorch } from './legacy.ts'
import type { PytorchFile } from './types.ts'

/**
 * Reads the tensors of a checkpoint, in either of PyTorch's formats. A state dict inside `{ state_dict: … }`,
 * `{ model: … }` and the like is found; nested dictionaries are joined with dots; names are otherwise left as
 * they are. bf16 becomes f32, f16 stays as raw bits.
 *
 * Only dictionaries, lists, tuples, scalars, strings and tensors are built: a file that names anything else is
 * refused, and the name is in the message.
 * @throws SternaError 'file/bad-magic', 'file/truncated', 'file/damaged', 'file/limit' or 'file/unsupported'
 */
export function readPytorch(bytes: Uint8Array): PytorchFile {
  if (isZip(bytes)) return readPytorchArchive(bytes)
  if (isLegacyPytorch(bytes)) return readLegacyPytorch(bytes)
  throw new SternaError('file/bad-magic', 'PyTorch file at byte 0: neither a ZIP archive nor a checkpoint', {
    hint: 'expected a file written by torch.save',
  })
}
