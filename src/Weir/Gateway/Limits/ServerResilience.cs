using System.Collections.Concurrent;
using Polly;
using Polly.CircuitBreaker;
using Polly.RateLimiting;
using Weir.Errors;
using Weir.Gateway.Calls;
using Weir.Upstream;

namespace Weir.Gateway.Limits;

/// <summary>
/// What keeps one sick server from costing more than itself: at most so many calls in flight, and none at all for a while after most
/// of the last ones found nobody or no answer in time. Each replica judges for itself.
/// </summary>
internal sealed class ServerResilience(int maxCalls, TimeProvider time)
{
    /// <summary>Half of at least so many calls within this time must have failed.</summary>
    private const int FewestCalls = 8;
    private static readonly TimeSpan Sampling = TimeSpan.FromSeconds(30);

    /// <summary>Then one call is let through to see.</summary>
    private static readonly TimeSpan Pause = TimeSpan.FromSeconds(5);

    private readonly ConcurrentDictionary<Guid, ServerPipeline> _guards = new();

    /// <exception cref="CallFailedException">The server is left alone, or has too much to do.</exception>
    public async Task<T> RunAsync<T>(UpstreamTarget target, Func<Task<T>> act)
    {
        try
        {
            var circuit = _guards.AddOrUpdate(
                target.InstanceId,
                static (_, a) => new ServerPipeline(a.Resets, a.Owner.Build()),
                static (_, known, a) => known.Resets >= a.Resets ? known : new ServerPipeline(a.Resets, a.Owner.Build()),
                (Owner: this, target.Resets));
            return await circuit.Pipeline.ExecuteAsync(static async (act, _) => await act(), act, CancellationToken.None);
        }
        catch (RateLimiterRejectedException)
        {
            throw CallFailedException.Busy(target.InstanceName);
        }
        catch (BrokenCircuitException e)
        {
            throw CallFailedException.Broken(target.InstanceName, e.RetryAfter ?? Pause);
        }
    }

    private ResiliencePipeline Build() => new ResiliencePipelineBuilder { TimeProvider = time }
        .AddConcurrencyLimiter(maxCalls)
        .AddCircuitBreaker(new CircuitBreakerStrategyOptions
        {
            FailureRatio = 0.5,
            MinimumThroughput = FewestCalls,
            SamplingDuration = Sampling,
            BreakDuration = Pause,
            ShouldHandle = static outcome => ValueTask.FromResult(outcome.Outcome.Exception is
                UpstreamException { Failure: UpstreamFailure.Unreachable, IsOfOneSession: false }
                    or CallFailedException { Code: ErrorCode.UpstreamTimeout }),
        })
        .Build();

    /// <summary>What is known of one server since its last restart or update.</summary>
    private sealed record ServerPipeline(long Resets, ResiliencePipeline Pipeline);
}
