using Weir.Configuration;
using Weir.Errors;
using Weir.Gateway.Http;
using Weir.Telemetry;

namespace Weir.Server.Hosting;

/// <summary>
/// A replica whose database is not there yet waits for it, because after a power cut both come up in any order. Meanwhile it answers:
/// <c>/healthz</c> that the process lives, everything else that it is not ready, and why.
/// </summary>
internal sealed class DatabaseWait(WeirConfig config, ILogger logger, TimeProvider time)
{
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(500);

    private TimeSpan Timeout => TimeSpan.FromSeconds(config.Database.StartTimeoutSeconds);

    /// <summary>Runs the checks until the database answers them.</summary>
    /// <exception cref="WeirException">Unavailable: it did not in <c>database.startTimeoutSeconds</c>. Any other failure of a check, at
    /// once.</exception>
    public async Task UntilAsync(Func<CancellationToken, Task> check, CancellationToken stop)
    {
        if (await FailureOfAsync(check, stop) is not { } first)
        {
            return;
        }

        if (Timeout == TimeSpan.Zero)
        {
            throw first;
        }

        logger.LogWarning(
            "{Message} Weir waits for it up to {Seconds} s (database.startTimeoutSeconds).", first.Message, Timeout.TotalSeconds);
        var begun = time.GetTimestamp();
        var last = first;
        await using var listener = await ListenAsync(() => last.Message, stop);
        while (true)
        {
            await Task.Delay(Pause, time, stop);
            if (await FailureOfAsync(check, stop) is not { } failure)
            {
                logger.LogInformation("The database answers, after {Seconds:0} s.", time.GetElapsedTime(begun).TotalSeconds);
                // Whoever is being answered gets the answer; disposing alone would make an internal error of it.
                await listener.StopAsync(stop);
                return;
            }

            last = failure;
            if (time.GetElapsedTime(begun) > Timeout)
            {
                throw new WeirException(ErrorCode.Unavailable,
                    $"{failure.Message} Weir waited for it for {Timeout.TotalSeconds:0} s (database.startTimeoutSeconds).",
                    "Start the database, or see weir doctor.", failure);
            }
        }
    }

    private static async Task<WeirException?> FailureOfAsync(Func<CancellationToken, Task> check, CancellationToken stop)
    {
        try
        {
            await check(stop);
            return null;
        }
        catch (WeirException e) when (e is { Code: ErrorCode.Unavailable, InnerException: not null })
        {
            return e;
        }
    }

    private async Task<WebApplication> ListenAsync(Func<string> why, CancellationToken stop)
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Configuration.Sources.Clear();
        builder.WebHost.ConfigureKestrel(kestrel => kestrel.AddServerHeader = false);
        builder.Logging.ToStandardError();
        builder.Services.AddSingleton<IHostLifetime, NoSignals>();
        builder.Services.ConfigureHttpJsonOptions(json => json.SerializerOptions.Encoder = PlainJson.Encoder);
        var app = builder.Build();
        app.Urls.Add(config.Http.Listen.GetLeftPart(UriPartial.Authority));
        app.MapGet("/healthz", static () => Results.Json(new { status = "ok" }));
        app.MapFallback(http =>
        {
            const string hint = "Weir waits for its database.";
            http.Response.Headers.RetryAfter = "1";
            return http.Request.Path.StartsWithSegments("/mcp", StringComparison.Ordinal)
                ? McpErrors.NotReadyAsync(http, why(), hint)
                : Results.Json(
                    new { status = "not ready", code = ErrorCode.Unavailable.Sqlstate(), message = why(), hint },
                    statusCode: StatusCodes.Status503ServiceUnavailable).ExecuteAsync(http);
        });
        await app.StartAsync(stop);
        return app;
    }
}
