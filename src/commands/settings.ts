import { type Config, loadConfig, loadPartOfConfig, type Sections } from '../common/config.ts';
import { setToolTimeout } from '../common/process.ts';
import { displayConfigSections } from '../display/registry.ts';

/** The effective configuration. */
export async function loadSettings(): Promise<Config> {
  return applied(loadConfig(await allSections()));
}

/** The part of it that commands use which only read data files. */
export async function loadDisplaySettings(): Promise<Config> {
  return applied(await loadPartOfConfig(displayConfigSections(), allSections));
}

/** Every collecter is loaded for them. */
async function allSections(): Promise<Sections> {
  return (await import('./sections.ts')).configSections();
}

function applied(config: Config): Config {
  const timeout = config.section('General')['tool_timeout'];
  if (timeout !== undefined) setToolTimeout(Number(timeout));
  return config;
}
