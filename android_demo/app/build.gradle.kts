import org.jetbrains.kotlin.gradle.dsl.JvmTarget

plugins {
    alias(libs.plugins.android.application)
}

android {
    namespace = "mobilesdk.demo"
    compileSdk = 36

    defaultConfig {
        applicationId = "mobilesdk.demo"
        minSdk = 26 // ExecuTorch's library is built for android-26, though its AAR says 23
        targetSdk = 36
        versionCode = 1
        versionName = "0.1.0"
        // ExecuTorch's AAR has these alone; with LiteRT's others the app would install where half of it cannot run.
        ndk { abiFilters += listOf("arm64-v8a", "x86_64") }
        // The benchmark writes down which runtimes computed.
        buildConfigField("String", "EXECUTORCH_VERSION", "\"${libs.versions.executorch.get()}\"")
        buildConfigField("String", "LITERT_VERSION", "\"${libs.versions.litert.get()}\"")
    }

    buildTypes {
        // What is measured: compiled as a release, and installed without a key of your own. ./gradlew installBenchmark
        create("benchmark") {
            initWith(getByName("release"))
            signingConfig = signingConfigs.getByName("debug")
            matchingFallbacks += "release"
            isProfileable = true
        }
    }

    buildFeatures.buildConfig = true

    // What the tests of both modules read fixtures with.
    sourceSets["test"].kotlin.srcDir("../runtime/src/sharedTest/kotlin")

    compileOptions {
        sourceCompatibility = JavaVersion.VERSION_17
        targetCompatibility = JavaVersion.VERSION_17
    }

    // -Pfixtures=FOLDER: what `python -m tests.support.fixtures.demo_fixtures FOLDER` in the SDK wrote
    testOptions.unitTests.all { test ->
        providers.gradleProperty("fixtures").orNull?.let { test.systemProperty("fixtures", it) }
    }
}

kotlin {
    // Java's target too; without it Kotlin takes that of the Java that runs Gradle, and the two must agree.
    compilerOptions { jvmTarget = JvmTarget.JVM_17 }
}

dependencies {
    implementation(project(":runtime"))
    implementation(libs.executorch)
    implementation(libs.litert)
    testImplementation(libs.junit)
}
