using Microsoft.IdentityModel.Tokens;
using Weir.Errors;
using Weir.Input;

namespace Weir.Identity;

/// <summary>
/// The issuer's published keys. Read when first needed, again when a token names a key that is not among them (at most once a
/// minute), and kept while the issuer is away.
/// </summary>
/// <param name="fetch">Reads the JWKS document.</param>
internal sealed class SigningKeys(Func<CancellationToken, Task<string>> fetch, TimeProvider time)
{
    private static readonly TimeSpan MinimumAge = TimeSpan.FromMinutes(1);
    /// <summary>After a fetch that failed no other is begun for so long.</summary>
    public static readonly TimeSpan AfterFailure = TimeSpan.FromSeconds(5);

    private static readonly TimeSpan FetchDeadline = TimeSpan.FromSeconds(5);

    /// <summary>Most that is read of the document. Bytes.</summary>
    public const int MaxBytes = 256 * 1024;

    private static readonly JsonBounds Bounds = new(Depth: 16, Values: 10_000, AllowTwice: true);

    private readonly Lock _lock = new();
    private volatile IList<SecurityKey> _keys = [];
    private volatile Exception? _failure;
    private Task? _fetching;
    private DateTimeOffset _triedAt = DateTimeOffset.MinValue;

    /// <exception cref="WeirException">WR009: the keys were never read, and cannot be now.</exception>
    public async Task<IList<SecurityKey>> GetAsync(string kid, CancellationToken ct)
    {
        if (_keys.Any(k => k.KeyId == kid))
        {
            return _keys;
        }

        if (Fetching() is { } fetching)
        {
            await fetching.WaitAsync(ct);
        }

        // Known keys stay good while the issuer is away, or talks nonsense.
        return _keys is { Count: 0 } && _failure is { } failure
            ? throw new WeirException(ErrorCode.Unavailable, "The issuer's keys cannot be read.", "Retry later.", failure)
            : _keys;
    }

    /// <summary>
    /// The one fetch that everybody waits for who needs it; null: the last one, good or not, was so short ago that none is begun.
    /// </summary>
    private Task? Fetching()
    {
        lock (_lock)
        {
            if (_fetching is null && time.GetUtcNow() - _triedAt > (_failure is null ? MinimumAge : AfterFailure))
            {
                var done = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
                _fetching = done.Task;
                _ = FetchAsync(done);
            }

            return _fetching;
        }
    }

    private async Task FetchAsync(TaskCompletionSource done)
    {
        await Task.Yield();
        try
        {
            using var deadline = new CancellationTokenSource(FetchDeadline, time);
            // Not the caller's token: who hangs up must not be able to keep the keys from everybody else.
            _keys = Read(await fetch(deadline.Token));
            _failure = null;
        }
        catch (Exception e)
        {
            _failure = e;
        }
        finally
        {
            lock (_lock)
            {
                (_fetching, _triedAt) = (null, time.GetUtcNow());
            }

            done.SetResult();
        }
    }

    /// <exception cref="FormatException">It is no document of keys; the library throws many types for that.</exception>
    private static IList<SecurityKey> Read(string document)
    {
        if (JsonInput.Check(System.Text.Encoding.UTF8.GetBytes(document), Bounds) is { } problem)
        {
            throw new FormatException("The document of the issuer's keys " + problem);
        }

        try
        {
            return new JsonWebKeySet(document).GetSigningKeys();
        }
        catch (Exception e)
        {
            throw new FormatException("The document of the issuer's keys cannot be read.", e);
        }
    }
}
