/** One image through a packed network in sterna-runtime and through the same network in its peers. */
import type { Tensor as OrtTensor } from 'onnxruntime-node'
import { type LoadOptions, loadModel, type PackedModel, type Session } from 'sterna-runtime'
import { Random, SternaError, sizeOf } from '../../core/index.ts'
import { type OnnxModel, writeOnnx } from '../../formats/onnx/index.ts'
import { exportOnnx } from '../../graph/onnx/index.ts'
import { toModel } from '../../pack/index.ts'
import { measureRanges } from './measure-ranges.ts'
import { type PairedTimes, timePairs } from './pairs.ts'
import { type Ort, openPeer, type PeerName } from './peer-packages.ts'
import { quantizeOnnx } from './quantize-onnx.ts'
import { createTfNetwork } from './tfjs-network.ts'

export type Precision = 'fp32' | 'int8'

export interface PeerTime extends PairedTimes {
  readonly peer: PeerName
  readonly precision: Precision
  /** Package and version. */
  readonly version: string
  /** Largest difference from our outputs over our largest output. */
  readonly difference: number
}

export interface InferenceTimes {
  /** Median milliseconds of one `Session.run`. */
  readonly oursMs: number
  /** Ratios are a peer's time over ours: above 1, ours is faster. */
  readonly peers: readonly PeerTime[]
}

export interface InferenceContest {
  readonly peers: readonly PeerName[]
  /** Of each side. */
  readonly threads: number
  readonly pairs: number
  readonly load: LoadOptions
  readonly onRound?: (round: number) => void
}

interface Opponent {
  readonly peer: PeerName
  readonly precision: Precision
  readonly version: string
  run(): Promise<Float32Array>
  close(): Promise<void>
}

/** How many random images the peers' activation ranges are measured on. */
const calibrationImages = 8
/** Runs of one turn take about so long. */
const turnMs = 4

/**
 * Times `packed` as `contest` says, in turns in one process.
 * @throws SternaError 'usage/input' for a network of several inputs; as `openPeer`, `createTfNetwork` and
 *   `loadModel` do
 */
export async function timeInference(packed: PackedModel, contest: InferenceContest): Promise<InferenceTimes> {
  const session = await loadModel(packed, contest.load)
  const [port] = session.inputs
  if (port === undefined || session.inputs.length > 1) {
    throw new SternaError(
      'usage/input',
      `bench infer: ${packed.name} has ${session.inputs.length} inputs, expected 1`,
    )
  }
  const random = new Random(1)
  const images = Array.from({ length: calibrationImages }, () =>
    Float32Array.from({ length: sizeOf(port.shape) }, () => random.normal()),
  )
  const opponents = await openOpponents(packed, images, contest)
  try {
    return await compete(session, images[0]!, opponents, contest)
  } finally {
    for (const opponent of opponents) await opponent.close()
  }
}

async function compete(
  session: Session,
  image: Float32Array,
  opponents: readonly Opponent[],
  { pairs, onRound }: InferenceContest,
): Promise<InferenceTimes> {
  const ours = session.run(image).output
  const differences: number[] = []
  for (const { run } of opponents) differences.push(relativeDifference(ours, await run()))
  const contestants = [
    { name: 'sterna', run: async () => session.run(image) },
    ...opponents.map(({ peer, precision, run }) => ({ name: `${peer} ${precision}`, run })),
  ]
  const [own, ...others] = await timePairs(contestants, {
    rounds: pairs,
    turnMs,
    ...(onRound !== undefined && { onRound }),
  })
  return {
    oursMs: own!.medianMs,
    peers: others.map((times, i) => {
      const { peer, precision, version } = opponents[i]!
      return { ...times, peer, precision, version, difference: differences[i]! }
    }),
  }
}

async function openOpponents(
  packed: PackedModel,
  images: readonly Float32Array[],
  { peers, threads }: InferenceContest,
): Promise<readonly Opponent[]> {
  const model = toModel(packed)
  const exact = exportOnnx(model)
  const input = { ...packed.inputs[0]!, data: images[0]! }
  const output = packed.outputs[0]!
  let quantized: Promise<OnnxModel> | undefined
  const opponents: Opponent[] = []
  for (const peer of peers) {
    const opened = await openPeer(peer, threads)
    if (opened.kind === 'tfjs') {
      const network = createTfNetwork(opened.tf, model, images[0]!)
      const { version } = opened
      opponents.push({
        peer,
        precision: 'fp32',
        version,
        run: async () => network.run(),
        close: async () => network.dispose(),
      })
      continue
    }
    quantized ??= measureRanges(exact, images).then(ranges => quantizeOnnx(exact, ranges))
    for (const [precision, onnx] of [['fp32', exact] as const, ['int8', await quantized] as const]) {
      const { run, close } = await createOrtSession(opened.ort, onnx, input, output, threads)
      opponents.push({ peer, precision, version: opened.version, run, close })
    }
  }
  return opponents
}

interface GivenInput {
  readonly name: string
  readonly shape: readonly number[]
  readonly data: Float32Array
}

/** The weights are constants of the model, so that ONNX Runtime may prepare them as it does for its own users. */
async function createOrtSession(
  ort: Ort,
  onnx: OnnxModel,
  { name, shape, data }: GivenInput,
  output: string,
  threads: number,
): Promise<Pick<Opponent, 'run' | 'close'>> {
  const session = await ort.InferenceSession.create(writeOnnx(onnx), {
    intraOpNumThreads: threads,
    interOpNumThreads: 1,
    logSeverityLevel: 3,
  })
  const feeds: Record<string, OrtTensor> = { [name]: new ort.Tensor('float32', data, shape) }
  return {
    run: async () => (await session.run(feeds))[output]!.data as Float32Array,
    close: () => session.release(),
  }
}

function relativeDifference(ours: Float32Array, theirs: Float32Array): number {
  let largest = 0
  let difference = 0
  for (let i = 0; i < ours.length; i++) {
    largest = Math.max(largest, Math.abs(ours[i]!))
    difference = Math.max(difference, Math.abs(theirs[i]! - ours[i]!))
  }
  return difference / largest
}
