package mobilesdk.demo.benchmark

import android.app.KeyguardManager
import android.content.Context
import android.content.Intent
import android.content.IntentFilter
import android.content.pm.ApplicationInfo
import android.os.BatteryManager
import android.os.Build
import android.os.PowerManager

/** Reads this phone's state. */
class AndroidDevice(
    private val context: Context,
) {
    private val files = SystemFiles()

    fun state(): DeviceState {
        val battery = context.registerReceiver(null, IntentFilter(Intent.ACTION_BATTERY_CHANGED))
        return DeviceState(
            machine = System.getProperty("os.arch") ?: "unknown",
            processor = "${Build.MANUFACTURER} ${Build.MODEL} (${Build.BOARD})",
            features = files.features(),
            system = "Android ${Build.VERSION.RELEASE}",
            kernel = "Linux ${System.getProperty("os.version")}",
            memoryMib = files.memoryMib(),
            cores = files.cores(),
            temperatureC = files.temperatureC(),
            thermalStatus = thermalStatus(),
            batteryShare = battery?.let(::batteryShare),
            charger = battery?.let(::charger),
        )
    }

    /** What decides, beside [state], whether times mean anything; the screen that measures knows if it is in front. */
    fun surroundings(inFront: Boolean): Surroundings {
        val power = context.getSystemService(PowerManager::class.java)
        return Surroundings(
            debuggable = context.applicationInfo.flags and ApplicationInfo.FLAG_DEBUGGABLE != 0,
            screenOn = power.isInteractive,
            locked = context.getSystemService(KeyguardManager::class.java).isKeyguardLocked,
            inFront = inFront,
            powerSave = power.isPowerSaveMode,
            cpuset = files.cpuset(),
        )
    }

    /** 0 none to 6 shutdown; `getCurrentThermalStatus` came with Android 10, and is asked for by name below it. */
    private fun thermalStatus(): Int? =
        try {
            val manager = context.getSystemService(PowerManager::class.java)
            PowerManager::class.java.getMethod("getCurrentThermalStatus").invoke(manager) as? Int
        } catch (_: ReflectiveOperationException) {
            null
        }

    private fun batteryShare(battery: Intent): Double? {
        val level = battery.getIntExtra(BatteryManager.EXTRA_LEVEL, -1)
        val full = battery.getIntExtra(BatteryManager.EXTRA_SCALE, -1)
        return if (level >= 0 && full > 0) level.toDouble() / full else null
    }

    private fun charger(battery: Intent): String? =
        when (battery.getIntExtra(BatteryManager.EXTRA_STATUS, -1)) {
            BatteryManager.BATTERY_STATUS_CHARGING -> "charging"
            BatteryManager.BATTERY_STATUS_DISCHARGING -> "discharging"
            BatteryManager.BATTERY_STATUS_NOT_CHARGING -> "not charging"
            BatteryManager.BATTERY_STATUS_FULL -> "full"
            else -> null
        }
}
