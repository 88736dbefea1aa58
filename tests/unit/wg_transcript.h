/* SPDX-License-Identifier: BSD-3-Clause */
/* Written by gen_wg_transcript.py; keys are BLAKE2s of the labels there. */
#ifndef BYWAY_TESTS_UNIT_WG_TRANSCRIPT_H
#define BYWAY_TESTS_UNIT_WG_TRANSCRIPT_H

/* clang-format off */
static const char transcript_static_i[] =
	"6b1383b9a68c3e22704eb76f1bbd6102d9983dea42c2d60fd460f63ae129bb11";
static const char transcript_static_r[] =
	"fdd79f5bec5dc175f82c15b4b72060a8ab8698934a4cd795fa7ebaf4e39c1e37";
static const char transcript_ephemeral_i[] =
	"b377c83fbfd3544611e63e51bcfbe6d901a3c9c507c8aeba1ffdca65cebf21e1";
static const char transcript_ephemeral_r[] =
	"0ac6d0d501446b6be667983f37542ffce4ed960e92d3d93b7185aee803b2cf80";
static const char transcript_preshared[] =
	"22c2212187020d63b13ca1c43fe2c235548035242ceedde7ca25ee0480995e2d";
static const char transcript_plain_initiation[] =
	"0100000044332211bc803387627dbeaaa5d400b82653badc466b912739c3efacf0503b1d472b2d4a2ff84c5b693b2eab"
	"10fdefec608160cf6ce14d0e11e41f89536762bb1d7ccb8cc6ca0584822077272f1ac2a75a30ba28074d0660a28a3f1b"
	"ef5d1e4f0de0ef6a9df86b310798e001331e04254ad7a49a4e921ebbee5f8ef88af2bcd3000000000000000000000000"
	"00000000";
static const char transcript_plain_response[] =
	"02000000d4c3b2a144332211d7011ab54cfe411bc9af3cd594e3f79df87bbdea71ace019af4f0d08de73c83c7388e15d"
	"24fd87bbf706680191b5c80c285a6eb2a30e8e4a2425e46566dd875400000000000000000000000000000000";
static const char transcript_plain_initiator_key[] =
	"9125a068829f02a148079d0fbbd949730b5d8c3c482e5355efed5a56a0c5a250";
static const char transcript_plain_responder_key[] =
	"5f59fac7c2e4167e0e9b1eb65f11a3edc64e8846647a32eca8e722af26c261d3";
static const char transcript_plain_data[] =
	"04000000d4c3b2a107000000000000003bb460003f8d42b41c8669e65d99bea6ab39691b78e3d2884d1152d07386adaf"
	"763f29eb881e93f343e27e21fe67aeb0";
static const char transcript_psk_initiation[] =
	"0100000044332211bc803387627dbeaaa5d400b82653badc466b912739c3efacf0503b1d472b2d4a2ff84c5b693b2eab"
	"10fdefec608160cf6ce14d0e11e41f89536762bb1d7ccb8cc6ca0584822077272f1ac2a75a30ba28074d0660a28a3f1b"
	"ef5d1e4f0de0ef6a9df86b310798e001331e04254ad7a49a4e921ebbee5f8ef88af2bcd3000000000000000000000000"
	"00000000";
static const char transcript_psk_response[] =
	"02000000d4c3b2a144332211d7011ab54cfe411bc9af3cd594e3f79df87bbdea71ace019af4f0d08de73c83cd55e5dd6"
	"fcc871ef32fd5faa108027d18978def9ed9d3cd84a128c78eb52575f00000000000000000000000000000000";
static const char transcript_psk_initiator_key[] =
	"ac76076cac05cbfba598effe754fc58ff55eceb9d4f3974bfc026c6f4d22b844";
static const char transcript_psk_responder_key[] =
	"69d4187595ae71751926ed8152a3296138a9f4ae620098d1adb4c9ab0ff8b118";
static const char transcript_psk_data[] =
	"04000000d4c3b2a10700000000000000f3cbf8f927f478aa3727dc3a2a472beeae0f0aa923b6f437cf596f6e887706a4"
	"6e0da72c6fe361dee35d485928c6a2c0";
/* clang-format on */

#endif
