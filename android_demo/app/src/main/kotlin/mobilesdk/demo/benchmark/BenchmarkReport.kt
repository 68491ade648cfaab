package mobilesdk.demo.benchmark

import mobilesdk.runtime.bundle.Bundle
import mobilesdk.runtime.json.jsonText

/** `bench.json` as `mobile-sdk bench` writes it, of one bundle: the SDK reads it back with its own model. */
class BenchmarkReport(
    private val bundle: Bundle,
    private val plan: Plan,
    private val samples: Samples,
    private val before: DeviceState,
    private val after: DeviceState,
    private val surroundings: Surroundings,
    private val date: String,
    private val versions: Map<String, String>,
) {
    val summary: Summary = summarize(samples.roundsMs)

    fun toJson(): String =
        jsonText(
            mapOf(
                "schema_number" to 1,
                "device" to "app",
                "environment" to environment(),
                "load_average_before" to null,
                "load_average_after" to null,
                "plan" to plan(),
                "measurements" to listOf(measurement()),
                "comparisons" to emptyList<Any>(),
                "state_before" to state(before),
                "state_after" to state(after),
                "stopped" to null,
                "app" to surroundings.fields(),
            ),
        )

    private fun environment() =
        mapOf(
            "date" to date,
            "processor" to before.processor,
            "features" to before.features,
            "architecture" to before.machine,
            "cores" to before.cores.size,
            "memory_mib" to before.memoryMib,
            "system" to (before.system ?: "unknown"),
            "kernel" to before.kernel,
            "governor" to before.cores.lastOrNull()?.governor,
            "python" to null,
            "versions" to versions,
        )

    private fun plan() =
        mapOf(
            "threads" to plan.threads,
            "min_runs" to plan.minRuns,
            "min_seconds" to plan.minSeconds,
            "quick" to plan.quick,
            "enough_seconds" to plan.enoughSeconds,
            "max_ms" to null,
        )

    /** Summary and advice are made of the samples where the file is read. */
    private fun measurement() =
        mapOf(
            "bundle" to bundle.folder.name,
            "name" to bundle.manifest.name,
            "runtime" to bundle.runtime.id,
            "precision" to bundle.manifest.precision,
            "model_bytes" to bundle.modelBytes,
            "samples" to samples(),
            "summary" to null,
            "advice" to samples.remark,
            "not_run" to null,
            "verdict" to null,
            "reason" to null,
        )

    /** An app cannot keep itself on chosen cores. */
    private fun samples() =
        mapOf(
            "load_ms" to samples.loadMs,
            "first_run_ms" to samples.firstRunMs,
            "warm_up_ms" to samples.warmUpMs.asList(),
            "rewarm_ms" to samples.rewarmMs.asList(),
            "rounds_ms" to samples.roundsMs.map { it.asList() },
            "peak_mib" to samples.peakMib,
            "seconds" to seconds(samples.roundsMs),
            "cores" to emptyList<Int>(),
            "end_to_end_ms" to samples.endToEndMs.asList(),
        )

    private fun state(state: DeviceState) =
        mapOf(
            "machine" to state.machine,
            "processor" to state.processor,
            "features" to state.features,
            "system" to state.system,
            "kernel" to state.kernel,
            "memory_mib" to state.memoryMib,
            "cores" to state.cores.map(::core),
            "temperature_c" to state.temperatureC,
            "thermal_status" to state.thermalStatus,
            "battery_share" to state.batteryShare,
            "charger" to state.charger,
        )

    private fun core(core: Core) =
        mapOf(
            "index" to core.index,
            "max_mhz" to core.maxMhz,
            "limit_mhz" to core.limitMhz,
            "now_mhz" to core.nowMhz,
            "governor" to core.governor,
        )
}
