// Copyright: (c) 2026, aims.licensing contributors
// GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later
//
// Prints its arguments in UTF-8, each ended by a zero byte, as the C library of a Windows program gets them.

#include <windows.h>
#include <shellapi.h>
#include <stdio.h>

int main(void) {
  static char text[4 * 32767];
  int count, size;
  LPWSTR *arguments = CommandLineToArgvW(GetCommandLineW(), &count);
  for (int i = 1; i < count; i++) {
    size = WideCharToMultiByte(CP_UTF8, 0, arguments[i], -1, text, sizeof(text), NULL, NULL);
    fwrite(text, 1, size, stdout);
  }
  return 0;
}
