// Copyright: (c) 2026, aims.licensing contributors
// GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later
//
// Runs a command as Windows' own sshd does where no other shell is set: cmd.exe /c "COMMAND". Wine itself would put
// backslashes before the quotes of an argument, so the command comes in the environment.

#include <windows.h>
#include <wchar.h>

enum { LONGEST = 32767 };

int main(void) {
  static WCHAR command[LONGEST], line[LONGEST + 16];
  STARTUPINFOW start = {sizeof(start)};
  PROCESS_INFORMATION child;
  DWORD code;

  if (!GetEnvironmentVariableW(L"SSH_ORIGINAL_COMMAND", command, LONGEST)) return 254;
  if (swprintf(line, LONGEST + 16, L"cmd.exe /c \"%ls\"", command) < 0) return 253;
  start.dwFlags = STARTF_USESTDHANDLES;
  start.hStdInput = GetStdHandle(STD_INPUT_HANDLE);
  start.hStdOutput = GetStdHandle(STD_OUTPUT_HANDLE);
  start.hStdError = GetStdHandle(STD_ERROR_HANDLE);
  if (!CreateProcessW(NULL, line, NULL, NULL, TRUE, 0, NULL, NULL, &start, &child)) return 252;
  WaitForSingleObject(child.hProcess, INFINITE);
  GetExitCodeProcess(child.hProcess, &code);
  return (int)code;
}
