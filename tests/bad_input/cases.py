"""Every numbered case of hostile or broken input, and which tests show that it is borne.

A case is the tests that cover it, `FILE::NAME` below tests/ without their prefixes, or the reason
why it does not apply yet. Those of this directory are rows: they name their case.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class NotYet:
    """What the case is about is not here."""

    reason: str


Case = tuple[str, ...] | NotYet

IKEV1 = NotYet("there is no IKEv1: its messages are dropped by their version")
EAP = NotYet("there is no EAP: AUTH is of a shared key alone")

_FIRST = "bad_input/first_messages"
_AUTHENTICATED = "bad_input/authenticated"
FIRST = f"{_FIRST}::a_first_request_that_makes_no_sense_leaves_nothing"
ADDED = f"{_FIRST}::what_is_added_to_a_first_request_changes_nothing"
MALFORMED = f"{_FIRST}::a_malformed_message_is_dropped_in_every_phase"
UNANSWERED = f"{_FIRST}::a_malformed_first_message_is_not_answered"
SAID = f"{_AUTHENTICATED}::what_makes_no_sense_is_answered_within_the_envelope"
PORTS = "actors/sockets::ike_esp_and_keepalives_are_told_apart_on_the_nat_traversal_port"
RESERVED = f"{_AUTHENTICATED}::reserved_bits_change_no_answer"
IKE = "protocol/ikev2"

HEADERS: dict[str, Case] = {
    "A1": (UNANSWERED, MALFORMED, PORTS),
    "A2": (UNANSWERED, MALFORMED,
           f"{IKE}/association::octets_behind_the_message_are_no_part_of_it"),
    "A3": (UNANSWERED, MALFORMED),
    "A4": (f"{IKE}/admission::a_newer_version_is_told_ours_and_a_minor_one_is_taken",
           f"{IKE}/admission::replies_are_limited_in_their_rate"),
    "A5": ("wire/message::any_minor_version_is_accepted",),
    "A6": ("wire/message::another_major_version_is_no_message_of_ours",
           "wire/captures::every_captured_isakmp_header_is_recognised"),
    "A7": (f"{_FIRST}::reserved_bits_of_a_first_request_are_ignored",
           "wire/header::reserved_flags_and_the_version_flag_change_nothing_else"),
    "A8": (f"{IKE}/window::the_initiator_flag_must_fit_the_role",),
    "A9": (UNANSWERED, f"{IKE}/window::a_response_to_nothing_asked_is_dropped"),
    "A10": (f"{IKE}/admission::what_is_no_first_request_is_refused_in_silence",),
    "A11": (UNANSWERED, f"{IKE}/admission::what_is_no_first_request_is_refused_in_silence"),
    "A12": (f"{IKE}/association::only_what_is_allowed_is_served",
            f"{IKE}/association::nothing_unprotected_is_served_after_ike_sa_init"),
    "A13": (f"{IKE}/admission::an_unknown_spi_is_answered_with_its_own_header",
            f"{IKE}/admission::a_reply_is_never_larger_than_what_it_answers"),
    "A14": (UNANSWERED, f"{IKE}/association::a_wrong_length_inside_is_invalid_syntax",
            "wire/captures::captured_attacks_are_declared_faults"),
    "A15": (UNANSWERED, f"{IKE}/association::a_wrong_length_inside_is_invalid_syntax",
            "wire/captures::captured_attacks_are_declared_faults"),
    "A16": (UNANSWERED, f"{IKE}/association::a_chain_that_lies_is_invalid_syntax"),
    "A17": (FIRST, SAID, "wire/payload::a_chain_of_too_many_payloads_is_invalid"),
    "A18": (f"{IKE}/informational::an_unknown_critical_payload_is_named_and_the_ike_sa_stands",
            f"{IKE}/ike_auth::an_unknown_critical_payload_is_named"),
    "A19": (f"{IKE}/informational::an_unknown_critical_payload_in_a_response_ends_the_ike_sa",),
    "A20": (SAID, ADDED),
    "A21": ("wire/payload::the_critical_bit_of_a_known_payload_is_ignored",
            f"{_FIRST}::reserved_bits_of_a_first_request_are_ignored"),
    "A22": (RESERVED, f"{IKE}/protection::the_body_of_a_payload_is_found_as_it_was_received"),
    "A23": (FIRST, SAID, "wire/payload::only_some_payloads_may_repeat"),
    "A24": (FIRST, f"{IKE}/create_child_sa::a_request_without_a_payload_it_needs_is_refused",
            f"{IKE}/ike_auth::a_request_without_a_payload_it_needs_comes_to_nothing"),
    "A25": ("wire/payload::nothing_comes_behind_a_sealed_payload",
            f"{IKE}/protection::sk_within_sk_is_refused"),
    "A26": (f"{_AUTHENTICATED}::what_stands_before_sk_is_ignored",),
    "A27": (f"{IKE}/association::what_is_cut_off_is_dropped",
            f"{IKE}/protection::no_octet_can_be_changed_or_left_out"),
    "A28": (f"{IKE}/association::one_bit_changed_is_a_message_of_nobody",),
    "A29": (FIRST, f"{IKE}/association::nothing_unprotected_is_served_after_ike_sa_init"),
    "A30": (f"{_AUTHENTICATED}::payloads_of_ike_auth_may_come_in_any_order",),
    "A31": (FIRST, SAID),
    "A32": (SAID, ADDED, "wire/identities::any_identity_prints_as_one_short_line",
            "actors/log::what_a_peer_chose_cannot_begin_a_line_or_move_the_cursor"),
    "A33": (PORTS,),
    "A34": (f"{_FIRST}::random_datagrams_of_all_sizes_are_dropped",
            "fuzz/fuzz::changed_messages_are_borne"),
}  # fmt: skip

_REASSEMBLY = f"{IKE}/reassembly"
FRAGMENTS: dict[str, Case] = {
    "B1": (f"{_REASSEMBLY}::a_number_that_is_not_within_the_total_is_dropped",
           f"{_REASSEMBLY}::a_message_in_one_fragment_is_legal"),
    "B2": (f"{_REASSEMBLY}_limits::a_set_of_very_many_fragments_is_not_begun",
           f"{_REASSEMBLY}::a_set_is_kept_for_the_expected_message_alone"),
    "B3": (f"{_REASSEMBLY}::a_fragment_of_an_older_set_is_dropped",
           f"{_REASSEMBLY}::a_fragment_of_a_newer_set_takes_the_place_of_those_before"),
    "B4": (f"{_REASSEMBLY}::the_second_of_the_same_number_is_dropped",),
    "B5": (f"{_REASSEMBLY}::a_forged_fragment_is_dropped_and_the_set_kept",),
    "B6": (f"{_REASSEMBLY}_limits::a_set_larger_than_any_message_is_the_end",),
    "B7": (f"{_REASSEMBLY}::fragments_of_one_octet_are_put_together",),
    "B8": (f"{IKE}/admission::a_fragment_of_ikev1_makes_no_state",),
    "B9": (f"{IKE}/admission::a_fragment_of_ikev1_makes_no_state",),
    "B10": IKEV1,
    "B11": (f"{_REASSEMBLY}::fragments_are_dropped_where_they_were_not_negotiated",),
    "B12": (FIRST, f"{_REASSEMBLY}::a_fragment_is_no_first_message"),
    "B13": (f"{_REASSEMBLY}::only_the_first_fragment_names_a_payload",),
    "B14": (f"{_REASSEMBLY}::a_whole_message_takes_the_place_of_its_fragments",),
    "B15": (f"{_REASSEMBLY}::only_the_first_fragment_asks_for_an_answer_again",),
    "B16": (f"{_REASSEMBLY}::what_is_put_together_holds_no_sealed_payload",),
    "B17": (f"{_REASSEMBLY}_limits::a_set_goes_with_its_ike_sa",
            f"{_REASSEMBLY}_limits::a_set_goes_with_a_former_ike_sa"),
    "B18": (f"{_REASSEMBLY}_limits::a_set_that_stays_incomplete_is_freed",),
}  # fmt: skip

PROPOSALS: dict[str, Case] = {
    "C1": (FIRST, SAID),
    "C2": (FIRST, SAID, "wire/proposals::too_many_proposals_are_invalid"),
    "C3": (FIRST, SAID, "wire/proposals::a_malformed_proposal_is_invalid"),
    "C4": (FIRST, SAID),
    "C5": (FIRST, SAID,
           "protocol/choosing::a_proposal_with_an_unknown_type_of_transform_is_passed_over"),
    "C6": (FIRST, SAID),
    "C7": (FIRST, SAID, "protocol/choosing::a_cipher_without_integrity_is_not_chosen"),
    "C8": ("protocol/choosing::a_choice_that_was_not_offered_is_refused",
           f"{IKE}/child_negotiation::a_suite_that_was_not_offered_costs_the_child_sa"),
    "C9": ("config/proposals::every_keyword_is_an_algorithm_of_this_build",),
    "C10": (FIRST, "crypto/ciphers::a_cipher_knows_its_lengths",
            "crypto/ciphers::no_confidentiality_is_for_esp_and_opt_in"),
    "C11": (SAID, "protocol/surroundings::a_child_spi_is_never_a_reserved_one"),
    "C12": (SAID,),
    "C13": (FIRST, SAID,
            "config/proposals::every_opt_in_algorithm_is_refused_without_being_asked_for"),
    "C14": (FIRST, SAID),
    "C15": (f"{IKE}/child_negotiation::there_is_no_fresh_key_exchange_in_ike_auth",
            f"{IKE}/child_negotiation::an_offer_with_groups_in_ike_auth_is_taken_without_them"),
    "C16": IKEV1,
    "C17": IKEV1,
    "C18": IKEV1,
}  # fmt: skip

_FAULTS = f"{IKE}/ike_sa_init_faults"
KEY_EXCHANGES: dict[str, Case] = {
    "D1": (FIRST, f"{IKE}/ike_sa_init::another_group_is_asked_for_and_followed"),
    "D2": (f"{IKE}/ike_sa_init::a_group_that_was_not_offered_is_never_used",
           f"{IKE}/ike_sa_init::a_peer_that_names_groups_without_end_is_given_up"),
    "D3": (FIRST, f"{_FAULTS}::a_ke_payload_of_a_wrong_length_leaves_nothing",
           "crypto/modp::public_values_out_of_range_are_refused"),
    "D4": (f"{_FAULTS}::a_point_off_its_curve_leaves_nothing",),
    "D5": (f"{_FAULTS}::a_value_without_contribution_leaves_nothing",
           "crypto/curves::points_of_low_order_on_curve448_are_refused"),
    "D6": (f"{IKE}/create_child_sa::an_invalid_ke_in_a_request_costs_the_ike_sa",
           f"{IKE}/create_child_sa::an_invalid_ke_in_a_response_deletes_the_ike_sa"),
    "D7": (FIRST, SAID, f"{_FAULTS}::a_nonce_of_less_than_half_the_prfs_key_is_refused"),
    "D8": (f"{_FAULTS}::our_own_message_back_is_no_answer",),
    "D9": NotYet("there is no ML-KEM"),
    "D10": (f"{IKE}/groups::private_keys_are_never_used_twice",),
}  # fmt: skip

_KEYS = f"{IKE}/public_keys"
_PROOFS = f"{IKE}/authentication"
_PPK, _ROUNDS, _HASHES = f"{IKE}/ppk", f"{IKE}/rounds", f"{IKE}/hash_and_url"
_FETCHING = "actors/fetching"
IDENTITIES: dict[str, Case] = {
    "E1": ("wire/identities::a_malformed_identity_is_invalid",),
    "E2": (f"{_KEYS}::a_certificate_does_not_stand_for_somebody_else",
           "crypto/pki/bindings::what_it_does_not_name_it_does_not_bind"),
    "E3": ("wire/identities::a_hostile_name_is_printed_escaped_and_cut",
           f"{_PROOFS}::an_identity_that_nobody_knows_is_refused_and_explained",
           "crypto/pki/bindings::what_it_does_not_name_it_does_not_bind",
           "crypto/pki/bindings::names_no_reader_can_tell_apart_are_passed_over"),
    "E4": (f"{IKE}/candidates::a_peer_gets_the_children_of_its_own_connection_only",),
    "E5": (f"{_PROOFS}::our_own_proof_sent_back_is_no_proof",),
    "E6": (f"{_PROOFS}::a_proof_that_does_not_hold_is_refused",),
    "E7": (f"{_PROOFS}::a_proof_that_does_not_hold_is_refused",),
    "E8": ("crypto/signatures::a_degenerate_ecdsa_signature_is_refused",),
    "E9": ("crypto/signatures::lenient_rsa_padding_is_refused",),
    "E10": ("crypto/signatures::an_identifier_that_is_none_of_ours_is_refused",
            "crypto/signatures::a_hash_that_is_not_permitted_is_refused"),
    "E11": (ADDED, f"{_KEYS}::who_takes_the_hashes_out_of_the_first_messages_is_noticed"),
    "E12": (f"{_PROOFS}::ike_sa_init_is_under_the_proof_octet_for_octet",),
    "E13": NotYet("there is no IKE_INTERMEDIATE"),
    "E14": (f"{_PPK}::required_means_required",
            f"{_PPK}::where_a_key_is_missing_and_not_required_it_goes_without",
            f"{_PPK}::a_wrong_key_fails_at_both_ends_with_a_reason",
            f"{_PPK}::who_takes_use_ppk_out_is_noticed",
            f"{_PPK}::a_responder_that_does_not_use_a_required_key_is_told"),
    "E15": ("crypto/signatures::a_key_nobody_should_use_is_refused",),
    "E16": ("crypto/pki/paths::more_certificates_than_a_path_has_are_not_looked_at",
            "crypto/pki/paths::a_path_that_is_too_long_is_refused",
            "crypto/pki/paths::authorities_that_certify_each_other_lead_nowhere",
            "crypto/pki/paths::a_huge_certificate_is_not_read"),
    "E17": ("crypto/pki/paths::one_certificate_among_others_in_any_order_fills_no_memory",),
    "E18": ("crypto/pki/pkits::a_path_stands_as_the_suite_says",
            "crypto/pki/profile::key_usage_has_to_allow_signatures",
            f"{_KEYS}::the_initiator_says_why_it_does_not_believe_the_responder"),
    "E19": ("crypto/pki/paths::outside_of_its_validity_a_path_does_not_stand",
            f"{_KEYS}::an_expired_certificate_is_refused_with_its_dates"),
    "E20": (f"{_FETCHING}::other_urls_are_refused",
            f"{_FETCHING}::addresses_that_are_not_public_are_not_gone_to",
            f"{_FETCHING}::a_name_is_judged_by_its_addresses",
            f"{_FETCHING}::redirects_that_never_end_are_left",
            f"{_FETCHING}::a_body_without_end_costs_no_more_than_its_limit",
            f"{_FETCHING}::a_server_that_drips_is_left_at_the_deadline",
            "actors/revocation::while_one_waits_no_other_does"),
    "E21": (f"{_HASHES}::it_is_off_unless_said_otherwise",
            f"{_HASHES}::nothing_is_fetched_from_elsewhere",
            f"{_HASHES}::what_has_another_hash_is_no_certificate",
            f"{_HASHES}::a_message_has_few_of_them_looked_up",
            f"{_FETCHING}::a_body_without_end_costs_no_more_than_its_limit"),
    "E22": ("crypto/pki/ocsp::these_answers_are_not_believed",
            "crypto/pki/ocsp::a_responder_that_does_not_answer_says_so",
            "crypto/pki/revocation::each_policy_refuses_what_it_says",
            "actors/revocation::an_answer_sent_along_that_is_no_use_is_as_good_as_none"),
    "E23": (f"{_KEYS}::a_strange_request_for_certificates_is_no_obstacle",),
    "E24": (f"{_KEYS}::certificates_that_nobody_asked_for_are_passed_over",),
    "E25": (f"{_ROUNDS}::an_initiator_that_stops_half_way_leaves_nothing",
            f"{_ROUNDS}::an_end_that_proves_more_or_less_than_is_asked_for_is_refused",
            f"{_ROUNDS}::who_takes_the_announcement_out_is_noticed"),
    "E26": (f"{_PROOFS}::a_responder_whose_proof_does_not_hold_is_told_so",),
    "E27": (f"{_PROOFS}::an_end_without_a_secret_says_so",),
    "E28": ("crypto/pki/paths::octets_that_are_no_certificate_are_refused",
            "crypto/pki/paths::a_certificate_with_a_changed_octet_never_raises_anything_else",
            "fuzz/fuzz::changed_messages_are_borne"),
}  # fmt: skip

_INFORMATIONAL = f"{IKE}/informational"
GATES: dict[str, Case] = {
    "G1": (f"{IKE}/window::a_repeated_request_gets_the_same_octets_again",
           f"{IKE}/window::requests_outside_of_the_window_change_nothing"),
    "G2": (f"{IKE}/window::a_repeated_request_with_another_body_is_not_read",),
    "G3": (f"{IKE}/window::a_flood_of_repeats_is_answered_now_and_then",),
    "G4": (f"{IKE}/window::an_ike_sa_whose_message_ids_are_used_up_is_closed",),
    "G5": (f"{IKE}/association::nothing_unprotected_is_served_after_ike_sa_init",),
    "G6": (f"{IKE}/ike_sa_init::a_forged_error_does_not_keep_the_good_answer_out",),
    "G7": (f"{IKE}/association::only_what_is_allowed_is_served",),
    "G8": (f"{_FIRST}::an_spi_in_use_is_no_way_into_an_established_ike_sa",
           f"{IKE}/association::only_what_is_allowed_is_served"),
    "G9": (SAID, f"{_INFORMATIONAL}::a_foreign_spi_is_passed_over"),
    "G10": (f"{_INFORMATIONAL}::what_follows_a_delete_of_the_ike_sa_is_of_no_matter",),
    "G11": (SAID,),
    "G12": (f"{IKE}/ike_auth::initial_contact_in_clear_says_nothing",
            "actors/claims::other_identities_do_not_matter"),
    "G13": (SAID,),
    "G14": (SAID, ADDED, "wire/notify::data_of_another_length_is_invalid"),
    "G15": (SAID, f"{IKE}/paths::an_old_message_from_elsewhere_moves_nobody",
            f"{IKE}/paths::junk_from_elsewhere_moves_nobody"),
    "G16": (SAID,),
    "G17": (SAID, FIRST, MALFORMED),
}  # fmt: skip

TRAFFIC: dict[str, Case] = {
    "I1": (SAID, "wire/selectors::malformed_selectors_are_invalid"),
    "I2": (f"{IKE}/child_negotiation::selectors_that_the_responder_widened_cost_the_child_sa",),
    "I3": (SAID, "protocol/choosing::selectors_are_narrowed_to_what_both_want"),
    "I4": (
        SAID,
        "wire/selectors::a_range_is_made_up_of_networks",
        "protocol/choosing::what_is_narrowed_lies_within_both",
    ),
    "I5": (SAID,),
    "I6": (SAID,),
}

FLOODS: dict[str, Case] = {
    "J1": (f"{IKE}/admission::a_crowd_is_asked_for_cookies",
           "actors/router::a_flood_of_strangers_is_bounded_and_reported_in_a_few_lines"),
    "J2": (f"{IKE}/admission::a_cookie_is_good_for_one_sender_one_spi_and_one_nonce",),
    "J3": (f"{IKE}/ike_sa_init::a_cookie_and_another_group_end_well",),
    "J4": (f"{IKE}/ike_sa_init::cookies_without_end_are_not_followed",
           f"{IKE}/ike_sa_init::cookies_of_a_wrong_length_are_passed_over"),
    "J5": (f"{IKE}/admission::an_address_with_too_many_half_open_ike_sas_is_refused",
           "actors/peers::half_open_responders_are_counted_by_address_or_network"),
    "J6": (f"{IKE}/ike_sa_init::a_responder_that_hears_no_more_is_closed",),
    "J7": IKEV1,
    "J8": ("actors/userspace/plane::octets_of_anybody_are_dropped",
           f"{IKE}/association::nothing_unprotected_is_served_after_ike_sa_init"),
    "J9": (f"{_AUTHENTICATED}::a_child_sa_is_asked_for_again_and_again_within_bounds",
           f"{IKE}/create_child_sa::no_more_child_sas_than_allowed"),
    "J10": (f"{IKE}/window::a_flood_of_repeats_is_answered_now_and_then",
            "actors/router::a_full_mailbox_costs_the_datagram_and_is_counted"),
    "J11": NotYet("thousands of peers at once are measured by tools/bench, not by the suite"),
    "J12": (f"{IKE}/demands::a_puzzle_that_is_too_hard_is_told_and_the_cookie_returned",
            f"{IKE}/demands::puzzles_without_end_are_not_solved"),
}  # fmt: skip

_CONTROL, _XFRM = "actors/control", "actors/xfrm"
LOCAL: dict[str, Case] = {
    "L1": ("actors/netlink::what_another_process_sends_is_dropped",),
    "L2": (f"{_XFRM}::an_overflow_is_told_once_and_events_go_on",
           "actors/kernel::after_lost_events_somebody_is_to_look_at_what_is_there"),
    "L3": ("actors/kernel::the_kernels_own_eexist_is_a_refusal",
           f"{_XFRM}::what_is_gone_already_is_removed_without_an_error",
           "kernel/netlink::octets_of_anybody_are_read_or_invalid"),
    "L4": ("actors/kernel::after_lost_events_somebody_is_to_look_at_what_is_there",),
    "L5": (f"{_XFRM}::an_overflow_is_told_once_and_events_go_on",),
    "L6": NotYet("reqids of our own are drawn by chance and count nothing"),
    "L7": (f"{_CONTROL}::a_length_beyond_the_limit_is_refused_and_ends_the_conversation",
           f"{_CONTROL}::a_client_that_stops_reading_is_cut_off_in_time",
           f"{_CONTROL}::a_client_that_dies_takes_only_its_own_requests",
           f"{_CONTROL}::three_hundred_clients_are_served_or_told_that_they_are_too_many"),
    "L8": ("admin/server::whoever_is_not_permitted_may_not_even_read",),
    "L9": ("reloading::what_cannot_be_read_leaves_everything_as_it_was",
           "reloading::what_is_told_of_a_refused_reload_names_the_file"),
    "L10": ("actors/store::a_disk_that_is_full_is_said_and_what_is_kept_can_be_removed",
            "actors/keeper::a_store_that_fails_is_told_once_and_nobody_waits_for_it",
            "actors/log::a_log_nobody_takes_is_counted_and_no_crash"),
    "L11": ("actors/updown::a_script_that_hangs_is_killed_with_what_it_started",
            "actors/revocation::a_server_that_takes_too_long_is_told_at_the_deadline",
            "actors/revocation::while_one_waits_no_other_does",
            "actors/cert_lookups::a_slow_server_keeps_nobody_for_ever_and_nobody_else",
            "actors/dnssec::while_one_waits_no_other_does",
            f"{IKE}/signing::a_token_that_never_answers_ends_the_attempt"),
    "L12": ("config/load::a_thousand_connections_take_ten_times_the_work_of_a_hundred",
            "admin/queries::a_thousand_connections_are_listed"),
    "L13": NotYet("memory over days is measured by tools/bench, not by the suite"),
}  # fmt: skip

CASES: dict[str, Case] = {
    **HEADERS, **FRAGMENTS, **PROPOSALS, **KEY_EXCHANGES, **IDENTITIES,
    **GATES, **TRAFFIC, **FLOODS, **LOCAL,
}  # fmt: skip

# Sections that are tested elsewhere as a whole, and those that wait for what they are about.
SECTIONS: dict[str, str] = {
    "F": EAP.reason,
    "H": "collisions have a directory of their own: tests/protocol/ikev2/collisions",
    "K": IKEV1.reason,
}
