/** Finds PyTorch and has it train the network that we train. */
import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { SternaError } from '../../core/index.ts'
import { zooEntry } from '../../models/index.ts'
import { defaultConfig } from '../../train/index.ts'
import { StepProcess } from './step-process.node.ts'
import type { StepWork } from './step-protocol.ts'
import { benchClasses, benchImages, benchLabels } from './training-step.ts'

const program = fileURLToPath(new URL('../../../python/serve-steps.py', import.meta.url))
const importTimeoutMs = 60_000

export type TorchSearch =
  | { readonly python: string; readonly version: string }
  | { readonly python: undefined; readonly reason: string }

/** Looks for a python that imports torch; one that was asked for must be it. */
export async function findTorch(asked: string | undefined): Promise<TorchSearch> {
  const tried: string[] = []
  for (const python of asked === undefined ? ['python3', '/usr/bin/python3'] : [asked]) {
    try {
      const { stdout } = await promisify(execFile)(
        python,
        ['-c', 'import torch; print("torch", torch.__version__)'],
        { timeout: importTimeoutMs, encoding: 'utf8' },
      )
      const version = /^torch (\S+)$/m.exec(stdout)?.[1]
      if (version !== undefined) return { python, version }
      tried.push(`${python}: does not answer as Python does`)
    } catch (error) {
      const { code, stderr } = error as { readonly code?: unknown; readonly stderr?: string }
      const complaint = code === 'ENOENT' ? 'is not there' : stderr?.trim().split('\n').at(-1) || 'fails'
      tried.push(`${python}: ${complaint}`)
    }
  }
  const reason = tried.join('; ')
  if (asked === undefined) return { python: undefined, reason }
  throw new SternaError('usage/option', `--python: ${reason}`, {
    hint: 'give an interpreter that imports torch, such as that of a virtual environment',
  })
}

export interface TorchProcess {
  readonly process: StepProcess
  readonly matrixProductGflops: number
}

/** A process with the step built; `work.method` does not matter, for PyTorch trains the float network. */
export async function startTorch(
  python: string,
  { model: name, batchSize }: StepWork,
  threads: number,
): Promise<TorchProcess> {
  const { graph, parameters } = zooEntry(name).create(benchClasses, 1)
  const config = defaultConfig(name, 'float', { spec: 'random' })
  const images = benchImages(name, batchSize)
  const torch = new StepProcess('PyTorch', python, [program])
  const request = {
    threads,
    nodes: graph.nodes,
    input: graph.inputs[0]!.name,
    output: graph.outputs[0]!,
    parameters: graph.parameters.map(parameter => ({ name: parameter.name, shape: parameter.shape })),
    statistics: graph.nodes.flatMap(node => (node.op === 'BatchNormalization' ? node.inputs.slice(3) : [])),
    imageShape: images.shape,
    labels: benchLabels(batchSize),
    momentum: config.optimiser.kind === 'sgd' ? config.optimiser.momentum : 0,
    weightDecay: config.weightDecay.rest,
  }
  const data = [...graph.parameters.map(parameter => parameters.get(parameter.name)!), images]
  try {
    const { matrixProductGflops = 0 } = await torch.call(
      'build',
      request,
      data.map(value => value.data as Float32Array),
    )
    return { process: torch, matrixProductGflops }
  } catch (error) {
    await torch.close()
    throw error
  }
}
