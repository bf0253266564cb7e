using System.Security.Cryptography;
using Microsoft.Extensions.Logging;
using Weir.Errors;
using Weir.Gateway.Calls;
using Weir.Limits;

namespace Weir.Gateway.Http;

/// <summary>A request that was refused, and why, as the audit log spells it.</summary>
internal sealed record RefusedRequest(AdmissionRequest Request, string Reason);

/// <summary>
/// Writes refused requests to the audit log: of one principal one statement at a time and of all of them two, each with what came
/// meanwhile. Equal refusals of a minute wait in the database for one row, so a statement for each would take every connection that
/// catalogs and nodes need.
/// </summary>
/// <param name="write">Records all of them, or none.</param>
internal sealed class RefusalRecord(Func<IReadOnlyList<RefusedRequest>, Task> write, ILogger logger)
{
    private const int AtOnce = 2;

    /// <summary>
    /// So many wait for each principal, with what was asked for; of those beyond it only the number is kept, for each reason.
    /// </summary>
    internal const int MaxKept = 200;

    /// <summary>So many are in one statement.</summary>
    internal const int MaxBatch = 500;

    private readonly Lock _lock = new();
    private readonly Dictionary<string, Line> _lines = new(StringComparer.Ordinal);
    private readonly RoundRobinLimiter<string> _limiter = new(AtOnce);

    /// <summary>Returns when it is in the audit log, or could not be written, which is logged.</summary>
    public Task AddAsync(RefusedRequest refused)
    {
        var principal = refused.Request.Principal.Name;
        lock (_lock)
        {
            var begins = !_lines.TryGetValue(principal, out var line);
            if (begins)
            {
                _lines.Add(principal, line = new Line());
            }

            line!.Add(refused);
            var written = line.Written.Task;
            if (begins)
            {
                _ = DrainAsync(principal);
            }

            return written;
        }
    }

    private async Task DrainAsync(string principal)
    {
        // Never under the lock of whoever came first.
        await Task.Yield();
        while (true)
        {
            using var permit = await _limiter.EnterAsync(principal, CancellationToken.None);
            Line line;
            lock (_lock)
            {
                line = _lines[principal];
                if (line.IsEmpty)
                {
                    _lines.Remove(principal);
                    return;
                }

                _lines[principal] = new Line();
            }

            foreach (var batch in line.All().Chunk(MaxBatch))
            {
                await WriteAsync(batch);
            }

            line.Written.SetResult();
        }
    }

    private async Task WriteAsync(RefusedRequest[] batch)
    {
        try
        {
            await write(batch);
        }
        catch (WeirException e) when (e.Code == ErrorCode.Unavailable || batch.Length == 1)
        {
            logger.LogWarning(e, "{Count} refused requests could not be recorded.", batch.Length);
        }
        catch (WeirException)
        {
            // One of them is no good: the others are recorded without it.
            await WriteAsync(batch[..(batch.Length / 2)]);
            await WriteAsync(batch[(batch.Length / 2)..]);
        }
        catch (Exception e)
        {
            logger.LogError(e, "{Count} refused requests could not be recorded, in a way that Weir did not foresee.", batch.Length);
        }
    }

    /// <summary>What one principal's next statements will record.</summary>
    private sealed class Line
    {
        private readonly List<RefusedRequest> _kept = [];
        private readonly Dictionary<string, (RefusedRequest First, int Count)> _counted = new(StringComparer.Ordinal);

        public TaskCompletionSource Written { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public bool IsEmpty => _kept.Count == 0;

        public void Add(RefusedRequest refused)
        {
            if (_kept.Count < MaxKept)
            {
                _kept.Add(refused);
            }
            else
            {
                _counted[refused.Reason] =
                    _counted.TryGetValue(refused.Reason, out var counted) ? counted with { Count = counted.Count + 1 } : (refused, 1);
            }
        }

        public IEnumerable<RefusedRequest> All() =>
            _kept.Concat(_counted.Values.SelectMany(c => Enumerable.Range(0, c.Count).Select(_ => Another(c.First))));

        /// <summary>One of which only the reason is known.</summary>
        private static RefusedRequest Another(RefusedRequest like) => like with
        {
            Request = like.Request with
            {
                Key = CallKey.At(new DateTimeOffset(like.Request.Key.CreatedAt)), Item = "", RequestId = "", RequestBytes = 0,
                RequestHash = SHA256.HashData([]),
            },
        };
    }
}
