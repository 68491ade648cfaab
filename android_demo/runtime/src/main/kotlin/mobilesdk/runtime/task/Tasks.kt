package mobilesdk.runtime.task

import mobilesdk.runtime.json.FieldException
import mobilesdk.runtime.json.Fields

/** Makes a task of a contract and of the manifest's fields, which are spelled as the schema of that number has them. */
internal typealias TaskReader = (contract: TaskContract, fields: Fields, schema: Int) -> Task

/** Every task by its name in a manifest. */
internal val TASKS: Map<String, TaskReader> =
    mapOf(
        "classification" to { contract, _, _ -> Classification(contract) },
        "detection" to { contract, fields, schema -> Detection(contract, readDetectionSpec(fields, schema)) },
        "features" to { contract, _, _ -> Features(contract) },
        "segmentation" to { contract, _, _ -> Segmentation(contract) },
    )

/** Fields that one task alone has; of another task they may be null. */
private val OWN_FIELDS = listOf(DETECTION_FIELD)

/** Reads a manifest's task with the fields that belong to it. Throws [FieldException]. */
internal fun readTask(
    contract: TaskContract,
    fields: Fields,
    schema: Int,
): Task {
    OWN_FIELDS.forEach(fields::dropNull)
    val name = fields.choice("task", *TASKS.keys.toTypedArray())
    val task = TASKS.getValue(name)(contract, fields, schema)
    if (contract.sides == null && !task.takesArrays) {
        throw FieldException("expected a model that reads pictures for this task, found one that reads arrays")
    }
    if (contract.labels.size !in task.labelCounts) {
        val (least, most) = task.labelCounts.first to task.labelCounts.last
        throw FieldException("expected $least to $most labels for $name, found ${contract.labels.size}")
    }
    if (task.hasOneOutput && contract.outputs.size > 1) {
        throw FieldException("expected one output for $name, found ${contract.outputs.size}")
    }
    return task
}
