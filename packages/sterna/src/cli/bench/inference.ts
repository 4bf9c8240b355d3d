/** One image through a packed network in sterna-runtime and through the same network in its peers. */
import type { Tensor as OrtTensor } from 'onnxruntime-node'
import { type LoadOptions, loadModel, type PackedModel, type Session } from 'sterna-runtime'
import { SternaError } from '../../core/index.ts'
import { type OnnxModel, writeOnnx } from '../../formats/onnx/index.ts'
import type { Model } from '../../graph/index.ts'
import { exportOnnx } from '../../graph/onnx/index.ts'
import { toModel } from '../../pack/index.ts'
import { randomImages } from './inference-networks.ts'
import { measureRanges } from './measure-ranges.ts'
import { type PairedTimes, timePairs } from './pairs.ts'
import { type Ort, openPeer, type PeerName } from './peer-packages.ts'
import { type MeasuredRange, quantizeOnnx } from './quantize-onnx.ts'
import { createTfNetwork } from './tfjs-network.ts'
import { withRanges } from './with-ranges.ts'

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
  readonly arithmetic: 'f32' | 'int'
  /** Ratios are a peer's time over ours: above 1, ours is faster. */
  readonly peers: readonly PeerTime[]
}

export interface InferenceContest {
  readonly peers: readonly PeerName[]
  /** Of each side. */
  readonly threads: number
  readonly pairs: number
  /** `int` for a network without ranges of activations measures some on random images. */
  readonly arithmetic: NonNullable<LoadOptions['arithmetic']>
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
  const [port, ...others] = packed.inputs
  if (port === undefined || others.length > 0) {
    const found = packed.inputs.length
    throw new SternaError('usage/input', `bench infer: ${packed.name} has ${found} inputs, expected 1`)
  }
  const images = randomImages(port.shape, calibrationImages)
  const network = new PeerNetwork(packed, images)
  const { arithmetic } = contest
  const needsRanges = arithmetic === 'int' && packed.activations === undefined
  const ours = needsRanges ? withRanges(packed, await network.ranges()) : packed
  const session = await loadModel(ours, { arithmetic })
  const opponents = await openOpponents(network, contest)
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
    arithmetic: session.describe().arithmetic,
    peers: others.map((times, i) => {
      const { peer, precision, version } = opponents[i]!
      return { ...times, peer, precision, version, difference: differences[i]! }
    }),
  }
}

/** A packed network in the forms that peers take; what is costly is made once, when first asked for. */
class PeerNetwork {
  readonly model: Model
  readonly exact: OnnxModel
  readonly input: GivenInput
  readonly output: string
  readonly #images: readonly Float32Array[]
  #ranges: Promise<ReadonlyMap<string, MeasuredRange>> | undefined

  constructor(packed: PackedModel, images: readonly Float32Array[]) {
    this.model = toModel(packed)
    this.exact = exportOnnx(this.model)
    this.input = { ...packed.inputs[0]!, data: images[0]! }
    this.output = packed.outputs[0]!
    this.#images = images
  }

  ranges(): Promise<ReadonlyMap<string, MeasuredRange>> {
    this.#ranges ??= measureRanges(this.exact, this.#images)
    return this.#ranges
  }

  async quantized(): Promise<OnnxModel> {
    return quantizeOnnx(this.exact, await this.ranges())
  }
}

async function openOpponents(
  network: PeerNetwork,
  { peers, threads }: InferenceContest,
): Promise<readonly Opponent[]> {
  const { model, exact, input, output } = network
  const opponents: Opponent[] = []
  for (const peer of peers) {
    const opened = await openPeer(peer, threads)
    const { version } = opened
    if (opened.kind === 'tfjs') {
      const built = createTfNetwork(opened.tf, model, input.data)
      const run = async () => built.run()
      opponents.push({ peer, precision: 'fp32', version, run, close: async () => built.dispose() })
      continue
    }
    for (const precision of ['fp32', 'int8'] as const) {
      const onnx = precision === 'fp32' ? exact : await network.quantized()
      const session = await createOrtSession(opened.ort, onnx, input, output, threads)
      opponents.push({ peer, precision, version, ...session })
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
