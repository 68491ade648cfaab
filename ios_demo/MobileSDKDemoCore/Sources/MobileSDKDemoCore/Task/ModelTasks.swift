/// The table of tasks.
enum ModelTasks {
  /// Makes a task of a contract and of the manifest's fields, which are spelled as the schema of that number has them.
  typealias Reader = @Sendable (TaskContract, inout Fields, _ schema: Int) throws -> any ModelTask

  /// Every task by its name in a manifest.
  static let readers: [String: Reader] = [
    "classification": { contract, _, _ in Classification(contract) },
    "detection": { contract, fields, schema in
      Detection(contract, rule: try DetectionSpec(from: &fields, schema: schema))
    },
    "features": { contract, _, _ in Features(contract) },
    "segmentation": { contract, _, _ in Segmentation(contract) },
  ]

  /// Fields that one task alone has; of another task they may be null.
  private static let ownFields = [DetectionSpec.field]

  /// Reads a manifest's task with the fields that belong to it. Throws `FieldError`.
  static func read(_ contract: TaskContract, _ fields: inout Fields, schema: Int) throws -> any ModelTask {
    for name in ownFields { fields.dropNull(name) }
    let name = try fields.string("task")
    guard let reader = readers[name] else {
      throw FieldError(message: "expected \(readers.keys.sorted().joined(separator: " or ")) at 'task', found another")
    }
    let task = try reader(contract, &fields, schema)
    guard contract.sides != nil || task.takesArrays else {
      throw FieldError(message: "expected a model that reads pictures for this task, found one that reads arrays")
    }
    guard task.labelCounts.contains(contract.labels.count) else {
      let (least, most) = (task.labelCounts.lowerBound, task.labelCounts.upperBound)
      throw FieldError(message: "expected \(least) to \(most) labels for \(name), found \(contract.labels.count)")
    }
    guard contract.outputs.count == 1 || !task.hasOneOutput else {
      throw FieldError(message: "expected one output for \(name), found \(contract.outputs.count)")
    }
    return task
  }
}
