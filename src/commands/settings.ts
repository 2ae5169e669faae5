import { collectConfigSections } from '../collect/registry.ts';
import { COMMON_SECTION_NAMES, type Config, loadConfig, type Sections } from '../common/config.ts';
import { setToolTimeout } from '../common/process.ts';
import { displayConfigSections } from '../display/registry.ts';
import { fleetOptions } from '../fleet/options.ts';
import { serveOptions } from '../serve/options.ts';

/** What may stand in config.txt, as far as commands and the registries declare it. */
export function configSections(): Sections {
  return { ...collectConfigSections(), ...displayConfigSections(), Fleet: fleetOptions, serve: serveOptions };
}

/** The names of all sections of config.txt. */
export function sectionNames(): string[] {
  return [...new Set([...COMMON_SECTION_NAMES, ...Object.keys(configSections())])];
}

/** The effective configuration. */
export function loadSettings(): Config {
  const config = loadConfig(configSections());
  const timeout = config.section('General')['tool_timeout'];
  if (timeout !== undefined) setToolTimeout(Number(timeout));
  return config;
}
