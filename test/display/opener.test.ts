import { describe, expect, it } from 'vitest';
import { hasDesktop, viewerCommand } from '../../src/display/opener.ts';

describe('hasDesktop', () => {
  it('goes by X11 and Wayland', () => {
    expect([hasDesktop({}), hasDesktop({ DISPLAY: '' })]).toEqual([false, false]);
    expect([hasDesktop({ DISPLAY: ':0' }), hasDesktop({ WAYLAND_DISPLAY: 'wayland-0' })]).toEqual([true, true]);
  });
});

describe('viewerCommand', () => {
  const user = { uid: 1000, gid: 1001, home: '/home/ada', name: 'ada' };

  it('is xdg-open itself for the user who runs us', () => {
    expect(viewerCommand('/usr/bin/xdg-open', 1000, user, {})).toEqual(['/usr/bin/xdg-open']);
  });

  it('gives up root for the user who called sudo, with their own session', () => {
    const command = viewerCommand('/usr/bin/xdg-open', 0, user, {});
    expect(command[0]).toMatch(/\/setpriv$/);
    expect(command.slice(1)).toEqual([
      '--reuid=1000',
      '--regid=1001',
      '--init-groups',
      'env',
      'HOME=/home/ada',
      'USER=ada',
      'LOGNAME=ada',
      'XDG_RUNTIME_DIR=/run/user/1000',
      'DBUS_SESSION_BUS_ADDRESS=unix:path=/run/user/1000/bus',
      '/usr/bin/xdg-open',
    ]);
  });

  it('keeps a session bus that sudo let through', () => {
    const command = viewerCommand('/usr/bin/xdg-open', 0, user, { DBUS_SESSION_BUS_ADDRESS: 'unix:abstract=x' });
    expect(command).toContain('DBUS_SESSION_BUS_ADDRESS=unix:abstract=x');
  });
});
