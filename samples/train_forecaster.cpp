// SPDX-License-Identifier: Apache-2.0
// Trains the forecaster on synthetic series alone and writes the checkpoint that `pumice forecast`
// loads. Every draw depends on (seed, step) only, so that a resumed run continues exactly.
#include "pumice/io.h"
#include "pumice/optim.h"
#include "pumice/pumice.h"

#include "forecaster/model.h"
#include "forecaster/pipeline.h"
#include "forecaster/plot.h"
#include "forecaster/synthetic.h"

#include <CLI/CLI.hpp>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <limits>
#include <string>
#include <vector>

namespace {

using forecaster::Draws;
using forecaster::Forecaster;
using pumice::Tensor;

constexpr std::int64_t kSeriesLength = 320;
constexpr std::uint64_t kValidationSeed = 77;

struct Options {
    std::string output = "forecaster";
    std::int64_t steps = 6000;
    std::int64_t batch_rows = 32;
    std::int64_t warmup_steps = 100;
    std::int64_t series_count = 60000;
    std::int64_t validate_every = 250;
    std::uint64_t seed = 1;
    double lr = 3e-3;
    double weight_decay = 0.01;
    double clip_norm = 1.0;
    bool resume = false;
};

using Pool = std::vector<std::vector<float>>;

Pool make_pool(std::uint64_t seed, std::int64_t count) {
    Pool pool;
    for (std::int64_t i = 0; i < count; ++i) {
        pool.push_back(forecaster::make_series(seed, static_cast<std::uint64_t>(i), kSeriesLength));
    }
    return pool;
}

struct Batch {
    Tensor context;  // [B, L], NaN where missing
    Tensor target;   // [B, H]
};

constexpr float kMissing = std::numeric_limits<float>::quiet_NaN();

// Hides a start of the context, as short series have; some single values; or a gap.
void hide_values(Draws& draws, float* context, std::int64_t length, std::int64_t patch_length) {
    const double kind = draws.uniform();
    const double share = draws.uniform();
    const double most = kind < 0.5    ? share * static_cast<double>(patch_length)
                        : kind < 0.65 ? share * 0.6 * static_cast<double>(length)
                                      : 0.0;
    std::fill_n(context, static_cast<std::int64_t>(most), kMissing);
    const double gaps = draws.uniform();
    const double extent = draws.uniform();
    if (gaps < 0.12) {
        for (std::int64_t t = 0; t < length; ++t) {
            context[t] = draws.chance(0.3 * extent) ? kMissing : context[t];
        }
    } else if (gaps < 0.16) {
        const auto start = static_cast<std::int64_t>(extent * static_cast<double>(length - 4));
        const std::int64_t end = std::min(length, start + draws.integer(2, 12));
        std::fill(context + start, context + end, kMissing);
    }
}

Batch make_batch(Draws& draws,
                 const Pool& pool,
                 const forecaster::Config& config,
                 std::int64_t rows,
                 std::int64_t context_length,
                 std::int64_t horizon_length) {
    std::vector<float> context;
    std::vector<float> target;
    for (std::int64_t row = 0; row < rows; ++row) {
        const auto& series = pool[static_cast<std::size_t>(
            draws.integer(0, static_cast<std::int64_t>(pool.size()) - 1))];
        const std::int64_t start =
            draws.integer(0, kSeriesLength - context_length - horizon_length);
        const auto first = series.begin() + start;
        context.insert(context.end(), first, first + context_length);
        target.insert(
            target.end(), first + context_length, first + context_length + horizon_length);
        hide_values(
            draws, context.data() + row * context_length, context_length, config.patch_length);
    }
    return {
        .context = pumice::from_values<float>(context, {rows, context_length}, pumice::kFloat32),
        .target = pumice::from_values<float>(target, {rows, horizon_length}, pumice::kFloat32)};
}

Batch training_batch(const Options& options,
                     const Pool& pool,
                     const forecaster::Config& config,
                     std::int64_t step) {
    Draws draws(options.seed * 1000003U + static_cast<std::uint64_t>(step));
    const std::int64_t patch = config.patch_length;
    const std::int64_t most_context = config.context_length / patch;
    const std::int64_t context =
        patch * draws.integer(std::min<std::int64_t>(2, most_context), most_context);
    // Short horizons matter most, and cost least.
    const double kind = draws.uniform();
    const std::int64_t horizon =
        kind < 0.7
            ? patch * (kind < 0.3 ? 1 : 2)
            : patch * draws.integer(3, std::max<std::int64_t>(3, config.horizon_length / patch));
    return make_batch(draws, pool, config, options.batch_rows, context, horizon);
}

std::vector<Batch> validation_batches(const forecaster::Config& config) {
    const Pool pool = make_pool(kValidationSeed, 600);
    Draws draws(kValidationSeed);
    const std::int64_t patch = config.patch_length;
    std::vector<Batch> batches;
    for (const auto& [context, horizon] : std::vector<std::pair<std::int64_t, std::int64_t>>{
             {120, 24}, {120, 24}, {60, 24}, {192, 48}, {180, 24}, {96, 12}}) {
        const auto whole = [patch](std::int64_t length) {
            return (length + patch - 1) / patch * patch;
        };
        batches.push_back(make_batch(draws, pool, config, 96, whole(context), whole(horizon)));
    }
    return batches;
}

double validate(const Forecaster& model, const std::vector<Batch>& batches) {
    return pumice::inference_mode([&] {
        double total = 0.0;
        for (const Batch& batch : batches) {
            total += model->loss(batch.context, batch.target).item();
        }
        return total / static_cast<double>(batches.size());
    });
}

class Trainer {
public:
    explicit Trainer(const Options& options)
        : options_(options),
          model_(forecaster::Config{}),
          optimizer_(model_->parameters(),
                     {.lr = options.lr, .beta2 = 0.98, .weight_decay = options.weight_decay}),
          schedule_(optimizer_, options.warmup_steps, options.steps, 0.02),
          pool_(make_pool(options.seed, options.series_count)),
          validation_(validation_batches(model_->config())) {
        if (options.resume) {
            load();
        }
    }

    void run() {
        const auto begin = std::chrono::steady_clock::now();
        const std::int64_t first = step_;
        while (step_ < options_.steps) {
            train_step();
            if (step_ % options_.validate_every == 0 || step_ == options_.steps) {
                checkpoint();
            } else if (step_ % 10 == 0) {
                const std::chrono::duration<double> taken =
                    std::chrono::steady_clock::now() - begin;
                show_progress(taken.count() / static_cast<double>(step_ - first));
            }
        }
        std::printf("\nbest synthetic validation loss %.4f at step %lld; checkpoint in %s\n",
                    best_loss_,
                    static_cast<long long>(best_step_),
                    options_.output.c_str());
    }

private:
    void train_step() {
        const Batch batch = training_batch(options_, pool_, model_->config(), step_);
        const Tensor loss = model_->loss(batch.context, batch.target);
        optimizer_.zero_grad();
        loss.backward();
        pumice::optim::clip_grad_norm_(optimizer_.parameters(), options_.clip_norm);
        optimizer_.step();
        schedule_.step();
        ++step_;
        // The loss is read every few steps only: each read waits for the device.
        if (step_ % 10 == 0) {
            recent_loss_ = loss.item();
            curve_.push_back({static_cast<double>(step_),
                              recent_loss_,
                              std::numeric_limits<double>::quiet_NaN()});
            if (!std::isfinite(recent_loss_)) {
                throw pumice::ArgumentError("train_forecaster",
                                            "the loss is no longer finite at step " +
                                                std::to_string(step_) + "; lower --lr");
            }
        }
    }

    void show_progress(double seconds_a_step) const {
        constexpr int kWidth = 30;
        const double share = static_cast<double>(step_) / static_cast<double>(options_.steps);
        const int filled = static_cast<int>(share * kWidth);
        const double left = seconds_a_step * static_cast<double>(options_.steps - step_);
        std::printf("\r[%-*s] %5lld/%lld  loss %.4f  %.2f s/step  %.0f s left   ",
                    kWidth,
                    std::string(static_cast<std::size_t>(filled), '#').c_str(),
                    static_cast<long long>(step_),
                    static_cast<long long>(options_.steps),
                    recent_loss_,
                    seconds_a_step,
                    left);
        std::fflush(stdout);
    }

    void checkpoint() {
        const double loss = validate(model_, validation_);
        curve_.push_back({static_cast<double>(step_), recent_loss_, loss});
        std::printf("\rstep %lld: training loss %.4f, synthetic validation loss %.4f%*s\n",
                    static_cast<long long>(step_),
                    recent_loss_,
                    loss,
                    30,
                    "");
        if (loss < best_loss_) {
            best_loss_ = loss;
            best_step_ = step_;
            forecaster::save_model(options_.output, *model_);
        }
        save();
    }

    [[nodiscard]] std::string state_path() const {
        return options_.output + "/training_state.safetensors";
    }

    void save() const {
        std::filesystem::create_directories(options_.output);
        pumice::nn::StateDict state;
        for (const auto& [name, value] : model_->state_dict()) {
            state.insert("model." + name, value);
        }
        for (const auto& [name, value] : optimizer_.state_dict()) {
            state.insert("optimizer." + name, value);
        }
        pumice::io::save_safetensors(state_path(),
                                     state,
                                     {{"step", std::to_string(step_)},
                                      {"best_loss", std::to_string(best_loss_)},
                                      {"best_step", std::to_string(best_step_)}});
        std::string csv = "step,training_loss,validation_loss\n";
        for (const forecaster::LossPoint& point : curve_) {
            csv += std::to_string(static_cast<std::int64_t>(point.step)) + "," +
                   std::to_string(point.training) + "," +
                   (std::isnan(point.validation) ? "" : std::to_string(point.validation)) + "\n";
        }
        pumice::io::write_file(options_.output + "/loss.csv", csv);
        try {
            forecaster::plot_losses(options_.output + "/loss.svg", curve_);
        } catch (const pumice::UnsupportedError& error) {
            std::printf("%s\n", error.what());
        }
    }

    void load() {
        const pumice::io::SafetensorsFile file(state_path());
        pumice::nn::StateDict model_state;
        pumice::nn::StateDict optimizer_state;
        for (const auto& entry : file.entries()) {
            const bool is_model = entry.name.starts_with("model.");
            (is_model ? model_state : optimizer_state)
                .insert(entry.name.substr(entry.name.find('.') + 1), file.load(entry.name));
        }
        model_->load_state_dict(model_state);
        optimizer_.load_state_dict(optimizer_state);
        step_ = std::stoll(file.metadata().at("step"));
        best_loss_ = std::stod(file.metadata().at("best_loss"));
        best_step_ = std::stoll(file.metadata().at("best_step"));
        schedule_.set_step(step_);
        std::printf("resumed at step %lld\n", static_cast<long long>(step_));
    }

    Options options_;
    Forecaster model_;
    pumice::optim::AdamW optimizer_;
    pumice::optim::CosineSchedule schedule_;
    Pool pool_;
    std::vector<Batch> validation_;
    std::vector<forecaster::LossPoint> curve_;
    std::int64_t step_ = 0;
    std::int64_t best_step_ = 0;
    double best_loss_ = std::numeric_limits<double>::infinity();
    double recent_loss_ = 0.0;
};

void add_options(CLI::App& app, Options& options) {
    app.add_option("--output", options.output, "folder of the checkpoint")->capture_default_str();
    app.add_option("--steps", options.steps)->capture_default_str()->check(CLI::PositiveNumber);
    app.add_option("--batch", options.batch_rows)
        ->capture_default_str()
        ->check(CLI::PositiveNumber);
    app.add_option("--warmup", options.warmup_steps)->capture_default_str();
    app.add_option("--series", options.series_count, "synthetic series to draw")
        ->capture_default_str()
        ->check(CLI::PositiveNumber);
    app.add_option("--validate-every", options.validate_every)
        ->capture_default_str()
        ->check(CLI::PositiveNumber);
    app.add_option("--seed", options.seed)->capture_default_str();
    app.add_option("--lr", options.lr)->capture_default_str();
    app.add_option("--weight-decay", options.weight_decay)->capture_default_str();
    app.add_option("--clip", options.clip_norm, "largest gradient norm")->capture_default_str();
    app.add_flag("--resume", options.resume, "continue from the folder's training state");
}

}  // namespace

int main(int argc, char** argv) {
    try {
        Options options;
        CLI::App app("Trains the forecaster on synthetic series.");
        add_options(app, options);
        CLI11_PARSE(app, argc, argv);
        pumice::manual_seed(options.seed);
        Trainer(options).run();
    } catch (const std::exception& error) {
        std::fprintf(stderr, "%s\n", error.what());
        return 1;
    }
    return 0;
}
