using Weir.Configuration;
using Weir.Errors;
using Weir.Limits;

namespace Weir.Knowledge;

/// <summary>
/// How many requests about documents a person has open at this replica, and how many they begin in a minute: an embedding costs money.
/// </summary>
internal sealed class DocumentLimits(KnowledgeConfig config, TimeProvider time)
{
    private readonly UsageLimiter _requests = new("requests about documents", time);
    private readonly UsageLimit _person = new("person", config.MaxConcurrentPerPerson, config.PerMinutePerPerson);

    /// <returns>Disposing of it ends the request.</returns>
    /// <exception cref="WeirException">WR008.</exception>
    public IDisposable Enter(Guid userId) => _requests.Begin().Acquire(_person, userId);
}
