import org.jetbrains.kotlin.gradle.dsl.JvmTarget

// It names nothing of the project around it, so that the folder can be a module of any other: Android's Gradle plugin 9,
// which compiles Kotlin itself, comes from there.
plugins {
    id("com.android.library")
}

android {
    namespace = "mobilesdk.runtime"
    compileSdk = 36
    defaultConfig.minSdk = 24

    compileOptions {
        sourceCompatibility = JavaVersion.VERSION_17
        targetCompatibility = JavaVersion.VERSION_17
    }

    sourceSets["test"].kotlin.srcDir("src/sharedTest/kotlin")

    testOptions.unitTests.all { test ->
        providers.gradleProperty("fixtures").orNull?.let { test.systemProperty("fixtures", it) }
    }
}

kotlin {
    compilerOptions { jvmTarget = JvmTarget.JVM_17 }
}

// An app adds the runtimes of the bundles that it embeds, and no other.
val runtimes = listOf("org.pytorch:executorch-android:1.5.1", "com.google.ai.edge.litert:litert:2.3.0")

dependencies {
    runtimes.forEach { compileOnly(it) }
    runtimes.forEach { testImplementation(it) }
    testImplementation("junit:junit:4.13.2")
}
