# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The license server ``licsrv``: entitlements, seats, their store on disk, and the two ports.

Only this package and ``authority/`` import the web framework.
"""
