// Copyright: (c) 2026, aims.licensing contributors
// GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later
//
// Stands in for the license server: a service that listens on port 3400 and says nothing. Its address is that of the
// host that it runs on, because all hosts of a test share one loopback device.

#include <winsock2.h>
#include <windows.h>
#include <stdio.h>

static SERVICE_STATUS_HANDLE handle;
static SERVICE_STATUS status = {SERVICE_WIN32_OWN_PROCESS, SERVICE_START_PENDING, SERVICE_ACCEPT_STOP, 0, 0, 0, 0};
static SOCKET server = INVALID_SOCKET;

static void tell(DWORD state) {
  status.dwCurrentState = state;
  SetServiceStatus(handle, &status);
}

static void WINAPI control(DWORD code) {
  if (code == SERVICE_CONTROL_STOP) {
    tell(SERVICE_STOP_PENDING);
    closesocket(server);
  } else {
    tell(status.dwCurrentState);
  }
}

static SOCKET listen_here(void) {
  char address[64] = "127.0.0.1";
  struct sockaddr_in place = {AF_INET, htons(3400)};
  FILE *file = fopen("C:\\windows\\stand-in-address.txt", "r");
  if (file) {
    fscanf(file, "%63s", address);
    fclose(file);
  }
  place.sin_addr.s_addr = inet_addr(address);
  SOCKET made = socket(AF_INET, SOCK_STREAM, 0);
  if (bind(made, (struct sockaddr *)&place, sizeof(place)) || listen(made, 16)) {
    closesocket(made);
    return INVALID_SOCKET;
  }
  return made;
}

static void WINAPI serve(DWORD count, char **arguments) {
  WSADATA data;
  SOCKET client;
  handle = RegisterServiceCtrlHandlerA("AimmsStandIn", control);
  tell(SERVICE_START_PENDING);
  WSAStartup(MAKEWORD(2, 2), &data);
  server = listen_here();
  if (server == INVALID_SOCKET) {
    status.dwWin32ExitCode = ERROR_SERVICE_SPECIFIC_ERROR;
    status.dwServiceSpecificExitCode = 3400;
    tell(SERVICE_STOPPED);
    return;
  }
  tell(SERVICE_RUNNING);
  while ((client = accept(server, NULL, NULL)) != INVALID_SOCKET) closesocket(client);
  tell(SERVICE_STOPPED);
}

int main(void) {
  SERVICE_TABLE_ENTRYA table[] = {{"AimmsStandIn", serve}, {NULL, NULL}};
  return StartServiceCtrlDispatcherA(table) ? 0 : 1;
}
