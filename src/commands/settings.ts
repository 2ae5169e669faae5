import { collectConfigSections } from '../collect/registry.ts';
import { type Config, loadConfig } from '../common/config.ts';
import { displayConfigSections } from '../display/registry.ts';

/** The effective configuration, checked against everything that the registries declare. */
export function loadSettings(): Config {
  return loadConfig({ ...collectConfigSections(), ...displayConfigSections() });
}
