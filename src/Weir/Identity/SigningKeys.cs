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
    private static readonly TimeSpan FetchDeadline = TimeSpan.FromSeconds(5);

    /// <summary>Most that is read of the document. Bytes.</summary>
    public const int MaxBytes = 256 * 1024;

    private static readonly JsonBounds Bounds = new(Depth: 16, Values: 10_000, AllowTwice: true);

    private readonly SemaphoreSlim _fetching = new(1);
    private IList<SecurityKey> _keys = [];
    private DateTimeOffset _readAt = DateTimeOffset.MinValue;

    /// <exception cref="WeirException">WR009: the keys were never read, and cannot be now.</exception>
    public async Task<IList<SecurityKey>> GetAsync(string kid, CancellationToken ct)
    {
        if (_keys.Any(k => k.KeyId == kid))
        {
            return _keys;
        }

        await _fetching.WaitAsync(ct);
        try
        {
            if (time.GetUtcNow() - _readAt > MinimumAge)
            {
                using var deadline = new CancellationTokenSource(FetchDeadline, time);
                // Not the caller's token: who hangs up must not be able to keep the keys from everybody else.
                _keys = Read(await fetch(deadline.Token));
                _readAt = time.GetUtcNow();
            }
        }
        catch (Exception e) when (_keys.Count == 0)
        {
            throw new WeirException(ErrorCode.Unavailable, "The issuer's keys cannot be read.", "Retry later.", e);
        }
        catch (Exception e) when (e is HttpRequestException or IOException or OperationCanceledException or FormatException or WeirException)
        {
            // The known keys stay good while the issuer is away, or talks nonsense.
        }
        finally
        {
            _fetching.Release();
        }

        return _keys;
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
