// SPDX-License-Identifier: Apache-2.0
#include "vk/hazards.h"

#include "vk/flight_log.h"

#include <doctest/doctest.h>

namespace pumice::vk {
namespace {

Access read(std::uint64_t begin, std::uint64_t end, std::uint32_t buffer_id = 1) {
    return make_access(buffer_id, begin, end - begin, false);
}

Access write(std::uint64_t begin, std::uint64_t end, std::uint32_t buffer_id = 1) {
    return make_access(buffer_id, begin, end - begin, true);
}

HazardKind check(const HazardTracker& tracker, const Access& access) {
    return tracker.check({&access, 1}).kind;
}

void add(HazardTracker& tracker, const Access& access) {
    tracker.add({&access, 1});
}

TEST_CASE("hazards: each kind is found and named") {
    HazardTracker tracker;
    add(tracker, read(0, 256));
    add(tracker, write(256, 512));
    CHECK(check(tracker, read(0, 256)) == HazardKind::kNone);
    CHECK(check(tracker, write(0, 256)) == HazardKind::kWriteAfterRead);
    CHECK(check(tracker, read(256, 512)) == HazardKind::kReadAfterWrite);
    CHECK(check(tracker, write(256, 512)) == HazardKind::kWriteAfterWrite);
}

TEST_CASE("hazards: ranges that touch do not overlap, one byte more does") {
    HazardTracker tracker;
    add(tracker, write(256, 512));
    CHECK(check(tracker, write(0, 256)) == HazardKind::kNone);
    CHECK(check(tracker, write(512, 768)) == HazardKind::kNone);
    CHECK(check(tracker, write(0, 257)) == HazardKind::kWriteAfterWrite);
    CHECK(check(tracker, read(511, 768)) == HazardKind::kReadAfterWrite);
    CHECK(check(tracker, read(0, 1024)) == HazardKind::kReadAfterWrite);
    CHECK(check(tracker, read(300, 304)) == HazardKind::kReadAfterWrite);
}

TEST_CASE("hazards: the same offsets of another buffer are free") {
    HazardTracker tracker;
    add(tracker, write(0, 256, 1));
    CHECK(check(tracker, write(0, 256, 2)) == HazardKind::kNone);
    add(tracker, write(0, 256, 3));
    CHECK(check(tracker, read(0, 256, 2)) == HazardKind::kNone);
}

TEST_CASE("hazards: accesses of one command do not conflict with each other") {
    HazardTracker tracker;
    tracker.clear();
    const Access in_place[] = {read(0, 256), write(0, 256)};
    CHECK(tracker.check(in_place).kind == HazardKind::kNone);
}

TEST_CASE("hazards: a barrier clears, a submit does not") {
    HazardTracker tracker;
    add(tracker, write(0, 256));
    tracker.mark_submit();
    const Access later = read(0, 256);
    Hazard hazard = tracker.check({&later, 1});
    CHECK(hazard.kind == HazardKind::kReadAfterWrite);
    CHECK(hazard.is_across_submits);
    add(tracker, write(512, 768));
    const Access same = read(512, 768);
    hazard = tracker.check({&same, 1});
    CHECK(hazard.kind == HazardKind::kReadAfterWrite);
    CHECK_FALSE(hazard.is_across_submits);
    tracker.clear();
    CHECK(check(tracker, later) == HazardKind::kNone);
    CHECK(check(tracker, same) == HazardKind::kNone);
}

TEST_CASE("hazards: a wait of the host ends those of earlier submits only") {
    HazardTracker tracker;
    add(tracker, write(0, 256));
    add(tracker, read(256, 512));
    tracker.mark_submit();
    add(tracker, write(512, 768));
    add(tracker, read(768, 1024));
    tracker.forget_submitted();
    CHECK(check(tracker, write(0, 256)) == HazardKind::kNone);
    CHECK(check(tracker, write(256, 512)) == HazardKind::kNone);
    CHECK(check(tracker, write(512, 768)) == HazardKind::kWriteAfterWrite);
    CHECK(check(tracker, write(768, 1024)) == HazardKind::kWriteAfterRead);
}

TEST_CASE("hazards: a full tracker asks for a barrier") {
    for (const bool is_write : {false, true}) {
        CAPTURE(is_write);
        HazardTracker tracker;
        for (std::uint64_t i = 0; i < HazardTracker::kCapacity; ++i) {
            const Access access = make_access(1, i * 256, 256, is_write);
            CHECK(check(tracker, access) == HazardKind::kNone);
            add(tracker, access);
        }
        const Access next = make_access(2, 0, 256, is_write);
        CHECK(check(tracker, next) == HazardKind::kFull);
        CHECK(check(tracker, make_access(2, 0, 256, !is_write)) == HazardKind::kNone);
        tracker.clear();
        CHECK(check(tracker, next) == HazardKind::kNone);
    }
}

TEST_CASE("flight log: the last use of a range, by timeline value") {
    FlightLog log;
    log.add(write(0, 256), 1);
    log.add(read(0, 256), 2);
    log.add(read(256, 512), 3);
    CHECK(log.last_use(write(0, 256), 0) == 2);
    CHECK(log.last_use(write(256, 260), 0) == 3);
    CHECK(log.last_use(write(512, 768), 0) == 0);
    CHECK(log.last_use(write(0, 256), 2) == 0);
}

TEST_CASE("flight log: what was forgotten counts as touching everything") {
    FlightLog log;
    log.add(write(0, 256), 1);
    log.add(write(0, 256), 2);
    for (std::uint64_t i = 0; i < FlightLog::kCapacity - 1; ++i) {
        log.add(write(256, 512), 3);
    }
    CHECK(log.last_use(write(0, 256), 0) == 2);
    log.add(write(256, 512), 3);
    CHECK(log.last_use(write(1024, 1280), 0) == 2);
    CHECK(log.last_use(write(1024, 1280), 2) <= 2);
}

}  // namespace
}  // namespace pumice::vk
