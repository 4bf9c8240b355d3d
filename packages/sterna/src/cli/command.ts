/** The frame that all commands share: help with examples, --json and --quiet. */
import { Command } from 'commander'
import { Output } from './output.ts'

export interface CommandText {
  /** For the list of commands: starts with a small letter, no full stop. */
  readonly summary: string
  /** Sentences for the command's own help page, in place of the summary. */
  readonly description?: string
  /** Command lines without `sterna`, the most typical first. */
  readonly examples: readonly string[]
}

/** A command with its help page; `usage` is its name with its arguments, e.g. `eval <model>`. */
export function createCommand(usage: string, { summary, description, examples }: CommandText): Command {
  const [name, ...values] = usage.split(' ')
  const command = new Command(name)
    .summary(summary)
    .description(description ?? `${summary[0]!.toUpperCase()}${summary.slice(1)}.`)
    .helpCommand(false)
    .enablePositionalOptions()
    .addHelpText('after', `\nExamples:\n${examples.map(line => `  sterna ${line}`).join('\n')}`)
  for (const value of values) command.argument(value)
  return command
}

/** Says what the command does, after its own options were added; adds those that every command has. */
export function defineAction<Options>(
  command: Command,
  run: (output: Output, options: Options, ...values: string[]) => Promise<void>,
): Command {
  return command
    .option('--json', 'print one JSON object instead of text')
    .option('--quiet', 'print no progress and no notes')
    .action(async function (this: Command, ...values: unknown[]) {
      const options = this.opts<Options & { json?: boolean; quiet?: boolean }>()
      const output = new Output(options)
      try {
        // commander hands over the arguments, then the options and the command.
        await run(output, options, ...(values.slice(0, -2) as string[]))
      } finally {
        output.close()
      }
    })
}
