// SPDX-License-Identifier: Apache-2.0
#include "pumice/pumice.h"

#include "rows.h"

#include <algorithm>
#include <utility>

namespace pumice::differential {

namespace {

std::int64_t wrapped(std::int64_t dim, std::int64_t rank) {
    return dim < 0 ? dim + rank : dim;
}

using ViewOf = std::function<HostArray(const HostArray&, const Step&)>;
using DrawStep = std::function<bool(Draw&, Step&, const HostArray&)>;

Row view_row(const char* name,
             const char* text,
             std::int64_t least_rank,
             DrawStep draw_step,
             std::function<Tensor(const Tensor&, const Step&)> call,
             ViewOf view) {
    return {.name = name,
            .text = text,
            .draw =
                [draw_step, least_rank](Draw& draw, Step& step) {
                    step.operands = {draw.any(any_dtype(), least_rank)};
                    return draw_step(draw, step, draw.array(step.operands[0]));
                },
            .call = [call](Operands in, const Step& step) { return call(in[0], step); },
            .reference = {},
            .view = std::move(view),
            .weight = 1.2};
}

Row permute_row() {
    return view_row(
        "permute",
        "permute($0, $d)",
        1,
        [](Draw& draw, Step& step, const HostArray& x) {
            for (std::int64_t i = 0; i < x.sizes.count(); ++i) {
                step.dims.insert(draw.random.integer(0, i), i);
            }
            return true;
        },
        [](const Tensor& x, const Step& step) { return permute(x, step.dims); },
        [](const HostArray& x, const Step& step) {
            HostArray out = x;
            for (std::int64_t i = 0; i < x.sizes.count(); ++i) {
                out.sizes[i] = x.sizes[step.dims[i]];
                out.strides[i] = x.strides[step.dims[i]];
            }
            return out;
        });
}

Row transpose_row() {
    return view_row(
        "transpose",
        "transpose($0, $i, $j)",
        1,
        [](Draw& draw, Step& step, const HostArray& x) {
            step.ints = {draw.dim_of(x.sizes.count()), draw.dim_of(x.sizes.count())};
            return true;
        },
        [](const Tensor& x, const Step& step) { return transpose(x, step.ints[0], step.ints[1]); },
        [](const HostArray& x, const Step& step) {
            HostArray out = x;
            const std::int64_t a = wrapped(step.ints[0], x.sizes.count());
            const std::int64_t b = wrapped(step.ints[1], x.sizes.count());
            std::swap(out.sizes[a], out.sizes[b]);
            std::swap(out.strides[a], out.strides[b]);
            return out;
        });
}

Row expand_row() {
    return view_row(
        "expand",
        "expand($0, $d)",
        0,
        [](Draw& draw, Step& step, const HostArray& x) {
            step.dims = x.sizes;
            bool changes = false;
            for (std::int64_t i = 0; i < step.dims.count(); ++i) {
                if (step.dims[i] == 1 && draw.random.chance(0.7)) {
                    step.dims[i] = draw.random.integer(0, 5);
                    changes = true;
                }
            }
            if (step.dims.count() < 5 && draw.random.chance(0.3) && x.numel() < 1000) {
                step.dims.insert(0, draw.random.integer(1, 3));
                changes = true;
            }
            return changes;
        },
        [](const Tensor& x, const Step& step) { return expand(x, step.dims); },
        [](const HostArray& x, const Step& step) {
            HostArray out = x;
            out.sizes = step.dims;
            out.strides = Dims::filled(step.dims.count(), 0);
            const std::int64_t lead = step.dims.count() - x.sizes.count();
            for (std::int64_t i = 0; i < x.sizes.count(); ++i) {
                out.strides[lead + i] =
                    x.sizes[i] == 1 && step.dims[lead + i] != 1 ? 0 : x.strides[i];
            }
            return out;
        });
}

Row select_row() {
    return view_row(
        "select",
        "select($0, $i, $j)",
        1,
        [](Draw& draw, Step& step, const HostArray& x) {
            const std::int64_t dim = draw.dim_of(x.sizes.count());
            const std::int64_t extent = x.sizes[wrapped(dim, x.sizes.count())];
            if (extent == 0) {
                return false;
            }
            step.ints = {dim, draw.random.integer(-extent, extent - 1)};
            return true;
        },
        [](const Tensor& x, const Step& step) { return select(x, step.ints[0], step.ints[1]); },
        [](const HostArray& x, const Step& step) {
            HostArray out = x;
            const std::int64_t dim = wrapped(step.ints[0], x.sizes.count());
            out.offset += wrapped(step.ints[1], x.sizes[dim]) * x.strides[dim];
            out.sizes.erase(dim);
            out.strides.erase(dim);
            return out;
        });
}

HostArray sliced(
    const HostArray& x, std::int64_t dim, std::int64_t start, std::int64_t end, std::int64_t step) {
    HostArray out = x;
    const std::int64_t extent = x.sizes[dim];
    const auto bounded = [extent](std::int64_t place) {
        return std::clamp<std::int64_t>(place < 0 ? place + extent : place, 0, extent);
    };
    const std::int64_t first = bounded(start);
    const std::int64_t last = std::max(bounded(end), first);
    out.offset += first * x.strides[dim];
    out.sizes[dim] = (last - first + step - 1) / step;
    out.strides[dim] *= step;
    return out;
}

Row slice_row() {
    return view_row(
        "slice",
        "slice($0, $i, $j, $k, $l)",
        1,
        [](Draw& draw, Step& step, const HostArray& x) {
            const std::int64_t dim = draw.dim_of(x.sizes.count());
            const std::int64_t extent = x.sizes[wrapped(dim, x.sizes.count())];
            const std::int64_t start = draw.random.integer(-2, std::min<std::int64_t>(extent, 5));
            const std::int64_t end =
                draw.random.chance(0.5) ? extent : draw.random.integer(-2, extent + 1);
            step.ints = {dim, start, end, draw.random.chance(0.6) ? 1 : draw.random.integer(1, 4)};
            return true;
        },
        [](const Tensor& x, const Step& step) {
            return slice(x, step.ints[0], step.ints[1], step.ints[2], step.ints[3]);
        },
        [](const HostArray& x, const Step& step) {
            return sliced(x,
                          wrapped(step.ints[0], x.sizes.count()),
                          step.ints[1],
                          step.ints[2],
                          step.ints[3]);
        });
}

Row narrow_row() {
    return view_row(
        "narrow",
        "narrow($0, $i, $j, $k)",
        1,
        [](Draw& draw, Step& step, const HostArray& x) {
            const std::int64_t dim = draw.dim_of(x.sizes.count());
            const std::int64_t extent = x.sizes[wrapped(dim, x.sizes.count())];
            const std::int64_t start = draw.random.integer(0, extent);
            step.ints = {dim, start, draw.random.integer(0, extent - start)};
            return true;
        },
        [](const Tensor& x, const Step& step) {
            return narrow(x, step.ints[0], step.ints[1], step.ints[2]);
        },
        [](const HostArray& x, const Step& step) {
            return sliced(x,
                          wrapped(step.ints[0], x.sizes.count()),
                          step.ints[1],
                          step.ints[1] + step.ints[2],
                          1);
        });
}

Row unfold_row() {
    return view_row(
        "unfold",
        "unfold($0, $i, $j, $k)",
        1,
        [](Draw& draw, Step& step, const HostArray& x) {
            const std::int64_t dim = draw.dim_of(x.sizes.count());
            const std::int64_t extent = x.sizes[wrapped(dim, x.sizes.count())];
            step.ints = {dim,
                         draw.random.integer(0, std::min<std::int64_t>(extent, 4)),
                         draw.random.integer(1, 3)};
            return x.numel() < 200000;
        },
        [](const Tensor& x, const Step& step) {
            return unfold(x, step.ints[0], step.ints[1], step.ints[2]);
        },
        [](const HostArray& x, const Step& step) {
            HostArray out = x;
            const std::int64_t dim = wrapped(step.ints[0], x.sizes.count());
            out.sizes[dim] = (x.sizes[dim] - step.ints[1]) / step.ints[2] + 1;
            out.strides[dim] *= step.ints[2];
            out.sizes.push_back(step.ints[1]);
            out.strides.push_back(x.strides[dim]);
            return out;
        });
}

Row squeeze_row() {
    return view_row(
        "squeeze",
        "squeeze($0, $i)",
        1,
        [](Draw& draw, Step& step, const HostArray& x) {
            step.ints = {draw.dim_of(x.sizes.count())};
            return true;
        },
        [](const Tensor& x, const Step& step) { return squeeze(x, step.ints[0]); },
        [](const HostArray& x, const Step& step) {
            HostArray out = x;
            const std::int64_t dim = wrapped(step.ints[0], x.sizes.count());
            if (x.sizes[dim] == 1) {
                out.sizes.erase(dim);
                out.strides.erase(dim);
            }
            return out;
        });
}

Row unsqueeze_row() {
    return view_row(
        "unsqueeze",
        "unsqueeze($0, $i)",
        0,
        [](Draw& draw, Step& step, const HostArray& x) {
            step.ints = {draw.random.integer(-x.sizes.count() - 1, x.sizes.count())};
            return x.sizes.count() < 6;
        },
        [](const Tensor& x, const Step& step) { return unsqueeze(x, step.ints[0]); },
        [](const HostArray& x, const Step& step) {
            HostArray out = x;
            const std::int64_t dim = wrapped(step.ints[0], x.sizes.count() + 1);
            out.sizes.insert(dim, 1);
            out.strides.insert(dim, 1);
            return out;
        });
}

// Strides of a view with these sizes, by groups of dimensions that lie without gaps; false where
// there is none. Source: at::computeStride.
bool view_strides(const HostArray& x, const Dims& sizes, Dims& strides) {
    strides = row_major(sizes);
    if (x.numel() == 0 || x.is_contiguous()) {
        return true;
    }
    std::int64_t at = sizes.count() - 1;
    std::int64_t base = x.strides.back();
    std::int64_t count = 1;
    std::int64_t view_count = 1;
    for (std::int64_t dim = x.sizes.count() - 1; dim >= 0; --dim) {
        count *= x.sizes[dim];
        const bool is_end =
            dim == 0 || (x.sizes[dim - 1] != 1 && x.strides[dim - 1] != count * base);
        if (!is_end) {
            continue;
        }
        while (at >= 0 && (view_count < count || sizes[at] == 1)) {
            strides[at] = view_count * base;
            view_count *= sizes[at];
            --at;
        }
        if (view_count != count) {
            return false;
        }
        if (dim > 0) {
            base = x.strides[dim - 1];
            count = 1;
            view_count = 1;
        }
    }
    return at == -1;
}

// Another shape of as many elements; -1 stands for one extent now and then.
bool draw_shape(Draw& draw, Step& step, const HostArray& x) {
    const std::int64_t count = x.numel();
    const std::int64_t form = draw.random.integer(0, 3);
    if (form == 0) {
        step.dims = {count};
    } else if (form == 1 && x.sizes.count() >= 2) {
        step.dims = x.sizes;
        const std::int64_t last = step.dims.back();
        step.dims.pop_back();
        step.dims[step.dims.count() - 1] *= last;
    } else {
        std::int64_t left = count;
        for (const std::int64_t factor : {2, 3, 5, 2}) {
            if (left > 0 && left % factor == 0 && draw.random.chance(0.7)) {
                step.dims.push_back(factor);
                left /= factor;
            }
        }
        step.dims.insert(draw.random.integer(0, step.dims.count()), left);
    }
    if (draw.random.chance(0.3) && count > 0) {
        step.flags[0] = true;
    }
    return true;
}

Dims wanted_sizes(const Step& step) {
    Dims sizes = step.dims;
    if (step.flags[0]) {
        sizes[sizes.count() - 1] = -1;
    }
    return sizes;
}

Row reshape_row() {
    return view_row(
        "reshape",
        "reshape($0, $d)",
        0,
        draw_shape,
        [](const Tensor& x, const Step& step) { return reshape(x, wanted_sizes(step)); },
        [](const HostArray& x, const Step& step) {
            HostArray out = x;
            out.sizes = step.dims;
            return view_strides(x, step.dims, out.strides)
                       ? out
                       : make_array(step.dims, x.dtype, x.values());
        });
}

Row plain_view_row() {
    return view_row(
        "view",
        "view($0, $d)",
        0,
        [](Draw& draw, Step& step, const HostArray& x) {
            draw_shape(draw, step, x);
            Dims strides;
            return view_strides(x, step.dims, strides);
        },
        [](const Tensor& x, const Step& step) { return view(x, wanted_sizes(step)); },
        [](const HostArray& x, const Step& step) {
            HostArray out = x;
            out.sizes = step.dims;
            view_strides(x, step.dims, out.strides);
            return out;
        });
}

Row flatten_row() {
    return view_row(
        "flatten",
        "flatten($0, $i, $j)",
        1,
        [](Draw& draw, Step& step, const HostArray& x) {
            const std::int64_t first = draw.random.integer(0, x.sizes.count() - 1);
            step.ints = {first, draw.random.integer(first, x.sizes.count() - 1)};
            return true;
        },
        [](const Tensor& x, const Step& step) { return flatten(x, step.ints[0], step.ints[1]); },
        [](const HostArray& x, const Step& step) {
            HostArray out = x;
            out.sizes = {};
            for (std::int64_t i = 0; i < x.sizes.count(); ++i) {
                if (i > step.ints[0] && i <= step.ints[1]) {
                    out.sizes[out.sizes.count() - 1] *= x.sizes[i];
                } else {
                    out.sizes.push_back(x.sizes[i]);
                }
            }
            const Dims sizes = out.sizes;
            return view_strides(x, sizes, out.strides) ? out
                                                       : make_array(sizes, x.dtype, x.values());
        });
}

Row contiguous_row() {
    return view_row(
        "contiguous",
        "contiguous($0)",
        0,
        [](Draw& /*draw*/, Step& /*step*/, const HostArray& /*x*/) { return true; },
        [](const Tensor& x, const Step& /*step*/) { return contiguous(x); },
        [](const HostArray& x, const Step& /*step*/) {
            return x.is_contiguous() ? x : make_array(x.sizes, x.dtype, x.values());
        });
}

// Within the reach of x's storage.
Row as_strided_row() {
    return view_row(
        "as_strided",
        "as_strided($0, $d, $e, $i)",
        0,
        [](Draw& draw, Step& step, const HostArray& x) {
            const auto left = static_cast<std::int64_t>(x.storage->size());
            if (left == 0 || left > 100000) {
                return false;
            }
            step.ints = {draw.random.integer(0, left - 1)};
            std::int64_t reach = left - 1 - step.ints[0];
            for (std::int64_t i = draw.random.integer(0, 3); i > 0; --i) {
                const std::int64_t stride = draw.random.integer(0, 7);
                const std::int64_t extent = draw.random.integer(
                    1, 1 + std::min<std::int64_t>(stride == 0 ? 3 : reach / stride, 6));
                step.dims.push_back(extent);
                step.more_dims.push_back(stride);
                reach -= (extent - 1) * stride;
            }
            return true;
        },
        [](const Tensor& x, const Step& step) {
            return as_strided(x, step.dims, step.more_dims, step.ints[0]);
        },
        [](const HostArray& x, const Step& step) {
            HostArray out = x;
            out.sizes = step.dims;
            out.strides = step.more_dims;
            out.offset = step.ints[0];
            return out;
        });
}

Row alias_row(const char* name, std::function<Tensor(const Tensor&)> call) {
    return view_row(
        name,
        name == std::string("alias") ? "alias($0)" : "$0.detach()",
        0,
        [](Draw& /*draw*/, Step& /*step*/, const HostArray& /*x*/) { return true; },
        [call](const Tensor& x, const Step& /*step*/) { return call(x); },
        [](const HostArray& x, const Step& /*step*/) { return x; });
}

Row t_row() {
    Row row = view_row(
        "t",
        "t($0)",
        0,
        [](Draw& /*draw*/, Step& /*step*/, const HostArray& x) { return x.sizes.count() <= 2; },
        [](const Tensor& x, const Step& /*step*/) { return t(x); },
        [](const HostArray& x, const Step& /*step*/) {
            HostArray out = x;
            if (x.sizes.count() == 2) {
                std::swap(out.sizes[0], out.sizes[1]);
                std::swap(out.strides[0], out.strides[1]);
            }
            return out;
        });
    row.weight = 0.6;
    return row;
}

// One of the parts; ints: dim, length, which.
Row part_row(const char* name, std::function<Tensor(const Tensor&, const Step&)> call) {
    Row row = view_row(
        name,
        name == std::string("split") ? "split($0, $j, $i)[$k]" : "chunk($0, $l, $i)[$k]",
        1,
        [name](Draw& draw, Step& step, const HostArray& x) {
            const std::int64_t dim = draw.random.integer(0, x.sizes.count() - 1);
            const std::int64_t extent = x.sizes[dim];
            if (extent == 0) {
                return false;
            }
            std::int64_t length =
                draw.random.integer(std::max<std::int64_t>(extent / 4, 1), extent);
            const std::int64_t chunks = draw.random.integer(1, 5);
            if (name != std::string("split")) {
                length = (extent + chunks - 1) / chunks;
            }
            step.ints = {dim, length, draw.random.integer(0, (extent - 1) / length), chunks};
            return true;
        },
        std::move(call),
        [](const HostArray& x, const Step& step) {
            const std::int64_t start = step.ints[1] * step.ints[2];
            return sliced(
                x, step.ints[0], start, std::min(start + step.ints[1], x.sizes[step.ints[0]]), 1);
        });
    row.refuses_parts = true;
    return row;
}

}  // namespace

std::vector<Row> view_rows() {
    return {
        permute_row(),
        transpose_row(),
        expand_row(),
        select_row(),
        slice_row(),
        narrow_row(),
        unfold_row(),
        squeeze_row(),
        unsqueeze_row(),
        reshape_row(),
        plain_view_row(),
        flatten_row(),
        contiguous_row(),
        as_strided_row(),
        t_row(),
        alias_row("alias", [](const Tensor& x) { return alias(x); }),
        alias_row("detach", [](const Tensor& x) { return x.detach(); }),
        part_row("split",
                 [](const Tensor& x, const Step& step) {
                     return split(x, step.ints[1], step.ints[0])
                         .at(static_cast<std::size_t>(step.ints[2]));
                 }),
        part_row("chunk", [](const Tensor& x, const Step& step) {
            return chunk(x, step.ints[3], step.ints[0]).at(static_cast<std::size_t>(step.ints[2]));
        })};
}

}  // namespace pumice::differential
