import { collectConfigSections } from '../collect/registry.ts';
import { COMMON_SECTION_NAMES, type Sections } from '../common/config.ts';
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
