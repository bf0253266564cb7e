using Weir.Errors;
using Weir.Limits;

namespace Weir.Server.Http;

/// <summary>Limits concurrent requests of unauthenticated callers: by address, by site and in total.</summary>
internal sealed class UnauthenticatedRequestLimiter(int perAddress, int perSite, int most)
{
    private readonly AddressLimiter _permits = new(perAddress, perSite, most);

    /// <summary>Counts the request until it is answered.</summary>
    /// <exception cref="WeirException">WR008: too many are open already.</exception>
    public void Enter(HttpContext http)
    {
        if (_permits.TryEnter(ClientAddress.Of(http), out var full) is not { } permit)
        {
            var (open, from) = full switch
            {
                AddressLimiter.Exceeded.Address => (perAddress, " from this address"),
                AddressLimiter.Exceeded.Site => (perSite, " from addresses like this one"),
                _ => (most, ""),
            };
            throw new WeirException(
                ErrorCode.RateLimited,
                $"{open} requests of callers who are not signed in are open{from}, the most that there may be.", "Retry in a moment.");
        }

        http.Response.RegisterForDispose(permit);
    }
}
