/** Downloads the public data sets and lists what is here. */
import { mkdir, rm } from 'node:fs/promises'
import path from 'node:path'
import { readFileBytes, sha256Hex, writeFileAtomic } from '../core/index.node.ts'
import { SternaError } from '../core/index.ts'
import { gunzip } from '../formats/index.ts'
import { type DownloadOptions, downloadFile, type RemoteFile } from './download.node.ts'
import { readTar } from './tar.ts'

export interface FetchOptions extends DownloadOptions {
  /** Folders to download from instead of the public ones, each ending in `/`. */
  readonly mirrors?: readonly string[]
}

export interface FetchResult {
  /** The folder that now holds the data set. */
  readonly dir: string
  readonly files: readonly FetchedFile[]
}

export interface FetchedFile {
  readonly name: string
  readonly status: 'present' | 'downloaded'
}

export const MNIST_MIRRORS = [
  'https://storage.googleapis.com/cvdf-datasets/mnist/',
  'https://ossci-datasets.s3.amazonaws.com/mnist/',
] as const

const MNIST_FILES = [
  [
    'train-images-idx3-ubyte.gz',
    9_912_422,
    '440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609',
  ],
  ['train-labels-idx1-ubyte.gz', 28_881, '3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c'],
  [
    't10k-images-idx3-ubyte.gz',
    1_648_877,
    '8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6',
  ],
  ['t10k-labels-idx1-ubyte.gz', 4_542, 'f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6'],
] as const

/** Downloads the four MNIST files (11.6 MB) into `dir`; those that are right already are left alone. */
export async function fetchMnist(dir: string, options: FetchOptions = {}): Promise<FetchResult> {
  const files: FetchedFile[] = []
  for (const [name, sizeBytes, hex] of MNIST_FILES) {
    const remote: RemoteFile = {
      name,
      mirrors: options.mirrors ?? MNIST_MIRRORS,
      checksum: { algorithm: 'sha256', hex },
      maxBytes: sizeBytes,
    }
    files.push({ name, status: await downloadFile(remote, dir, options) })
  }
  return { dir, files }
}

export const CIFAR10_MIRRORS = ['https://www.cs.toronto.edu/~kriz/'] as const

const CIFAR10_ARCHIVE = 'cifar-10-binary.tar.gz'
const CIFAR10_FOLDER = 'cifar-10-batches-bin'
const CIFAR10_FILES = [
  ['data_batch_1.bin', 'cee916563c9f80d84e3cc88e17fdc0941787f1244f00a67874d45b261883ada5'],
  ['data_batch_2.bin', 'a591ca11fa1708a91ee40f54b3da4784ccd871ecf2137de63f51ada8b3fa57ed'],
  ['data_batch_3.bin', 'bbe8596564c0f86427f876058170b84dac6670ddf06d79402899d93ceea26f67'],
  ['data_batch_4.bin', '014e562d6e23c72197cc727519169a60359f5eccd8945ad5a09d710285ff4e48'],
  ['data_batch_5.bin', '755304fc0b379caeae8c14f0dac912fbc7d6cd469eb67a1029a08a39453a9add'],
  ['test_batch.bin', '8e2eb146ae340b09e24670f29cabc6326dba54da8789dab6768acf480273f65b'],
] as const

/** A little above the archive's 170 MB and its content's 184 MB. */
const CIFAR10_MAX_BYTES = 256 * 1024 * 1024

export interface FetchCifar10Options extends FetchOptions {
  /** What the archive and its files must be; for another packing of the same kind of data. */
  readonly contents?: {
    readonly archiveMd5: string
    readonly files: readonly (readonly [name: string, sha256: string])[]
  }
}

/**
 * Downloads the binary CIFAR-10 archive (170 MB) and unpacks its six batch files (184 MB) into
 * `dir/cifar-10-batches-bin`; the archive is removed afterwards. Nothing is downloaded where all six files
 * are right already.
 */
export async function fetchCifar10(dir: string, options: FetchCifar10Options = {}): Promise<FetchResult> {
  const { archiveMd5, files } = options.contents ?? {
    archiveMd5: 'c32a1d4ab5d03f1284b67883e8d87530',
    files: CIFAR10_FILES,
  }
  const folder = path.join(dir, CIFAR10_FOLDER)
  const result = (status: FetchedFile['status']) => ({
    dir: folder,
    files: files.map(([name]) => ({ name, status })),
  })
  if (files.every(([name, sha256]) => isRight(path.join(folder, name), sha256))) return result('present')
  const remote: RemoteFile = {
    name: CIFAR10_ARCHIVE,
    mirrors: options.mirrors ?? CIFAR10_MIRRORS,
    checksum: { algorithm: 'md5', hex: archiveMd5 },
    maxBytes: CIFAR10_MAX_BYTES,
  }
  await downloadFile(remote, dir, options)
  const archive = path.join(dir, CIFAR10_ARCHIVE)
  await unpack(archive, folder, files)
  await rm(archive, { force: true })
  return result('downloaded')
}

function isRight(file: string, sha256: string): boolean {
  try {
    return sha256Hex(readFileBytes(file, { maxBytes: CIFAR10_MAX_BYTES })) === sha256
  } catch {
    return false
  }
}

/** Writes the wanted files of an archive into a folder; nothing else in it is looked at. */
async function unpack(
  archive: string,
  folder: string,
  files: readonly (readonly [string, string])[],
): Promise<void> {
  const entries = readTar(gunzip(readFileBytes(archive), { maxBytes: CIFAR10_MAX_BYTES }))
  await mkdir(folder, { recursive: true }).catch(() => undefined)
  for (const [name, sha256] of files) {
    const entry = entries.find(candidate => path.posix.basename(candidate.name) === name)
    const found = entry === undefined ? 'no such file' : sha256Hex(entry.bytes)
    if (entry === undefined || found !== sha256) {
      throw new SternaError(
        'data/checksum',
        `${archive}: expected ${name} with sha256 ${sha256}, found ${found}`,
      )
    }
    writeFileAtomic(path.join(folder, name), entry.bytes)
  }
}
