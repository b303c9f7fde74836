// Copyright: (c) 2026, aims.licensing contributors
// GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later
//
// Keeps a host on: Wine ends its services with the last program of a user.

#include <windows.h>

int main(void) {
  Sleep(INFINITE);
  return 0;
}
