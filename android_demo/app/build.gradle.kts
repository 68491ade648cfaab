plugins {
    alias(libs.plugins.android.application)
    alias(libs.plugins.kotlin.android)
}

android {
    namespace = "mobilesdk.demo"
    compileSdk = 36

    defaultConfig {
        applicationId = "mobilesdk.demo"
        minSdk = 23
        targetSdk = 36
        versionCode = 1
        versionName = "0.1.0"
        // The benchmark writes down which runtimes computed.
        buildConfigField("String", "EXECUTORCH_VERSION", "\"${libs.versions.executorch.get()}\"")
        buildConfigField("String", "LITERT_VERSION", "\"${libs.versions.litert.get()}\"")
    }

    buildFeatures.buildConfig = true

    compileOptions {
        sourceCompatibility = JavaVersion.VERSION_17
        targetCompatibility = JavaVersion.VERSION_17
    }

    // gradle test -Pfixtures=FOLDER: `python -m tests.support.fixtures.demo_fixtures FOLDER` in the SDK's checkout has written
    testOptions.unitTests.all { test ->
        providers.gradleProperty("fixtures").orNull?.let { test.systemProperty("fixtures", it) }
    }
}

dependencies {
    implementation(libs.executorch)
    implementation(libs.litert)
    testImplementation(libs.junit)
}
