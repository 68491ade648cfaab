import Foundation
import Testing

@testable import MobileSDKDemoCore

@Suite struct SameTests {
  /// With `DEMO_ANSWERS`, a file, each answer is written there as soon as it is known: a trap leaves those before it.
  @Test func everyQuestionIsAnsweredAsPythonAnswersIt() throws {
    let folder = Fixtures.folder.appendingPathComponent("same")
    let (questions, answers) = (try lines(of: "questions.txt", in: folder), try lines(of: "answers.txt", in: folder))
    #expect(!questions.isEmpty && questions.count == answers.count)
    let same = Same(folder: folder)
    let file = ProcessInfo.processInfo.environment["DEMO_ANSWERS"].flatMap { FileHandle(forWritingAtPath: $0) }
    for (question, expected) in zip(questions, answers) {
      let found: String
      do { found = try same.answer(question) } catch { found = "throws \(error)" }
      file?.write(Data((found + "\n").utf8))
      #expect(file != nil || found == expected, "\(question.prefix(200))")
    }
  }

  private func lines(of name: String, in folder: URL) throws -> [String] {
    let text = try String(contentsOf: folder.appendingPathComponent(name), encoding: .utf8)
    return text.split(separator: "\n", omittingEmptySubsequences: false).dropLast().map(String.init)
  }
}
