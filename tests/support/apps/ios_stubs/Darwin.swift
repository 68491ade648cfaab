// The part of the kernel's interface that Swift's Darwin module has.
@_exported import Foundation

public typealias natural_t = UInt32  // Swift: of the C library
public typealias integer_t = Int32  // Swift: of the C library
public typealias mach_msg_type_number_t = natural_t  // Swift: of the C library
public typealias task_flavor_t = natural_t  // Swift: of the C library
public typealias kern_return_t = Int32  // Swift: of the C library
public typealias mach_port_name_t = natural_t  // Swift: of the C library

public var TASK_VM_INFO: Int32 { 22 }  // Swift: a macro's number
public var KERN_SUCCESS: Int32 { 0 }  // Swift: a macro's number

public struct task_vm_info_data_t {  // ~ task_vm_info
  public init() {}  // Swift: a C struct of zeros
  public var phys_footprint: UInt64 = 0  // = task_vm_info.phys_footprint
  public var ledger_phys_footprint_peak: Int64 = 0  // = task_vm_info.ledger_phys_footprint_peak
}

public func task_self_trap() -> mach_port_name_t { 0 }  // = task_self_trap
public func task_info(  // = task_info
  _ task: mach_port_name_t, _ flavor: task_flavor_t, _ info: UnsafeMutablePointer<integer_t>?,
  _ count: UnsafeMutablePointer<mach_msg_type_number_t>?
) -> kern_return_t { 0 }
