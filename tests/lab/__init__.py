# SPDX-License-Identifier: BSD-3-Clause
"""The lab: two homes, two providers and stock peers in network namespaces of one machine."""
