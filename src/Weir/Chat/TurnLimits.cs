using Weir.Configuration;
using Weir.Errors;
using Weir.Limits;

namespace Weir.Chat;

/// <summary>How many turns a person, an agent and an organization have open at this replica, and how many they begin in a minute.</summary>
internal sealed class TurnLimits(ChatConfig config, TimeProvider time)
{
    private readonly UsageLimiter _turns = new("turns", time);
    private readonly UsageLimit _person = new("person", config.MaxConcurrentPerPerson, config.PerMinutePerPerson);
    private readonly UsageLimit _agent = new("agent", config.MaxConcurrentPerAgent, config.PerMinutePerAgent);
    private readonly UsageLimit _organization = new("organization", config.MaxConcurrentPerOrganization, config.PerMinutePerOrganization);

    /// <summary>A person's turn, before anything else is known of it.</summary>
    /// <exception cref="WeirException">WR008.</exception>
    public TurnPermit Enter(Guid userId) => new(this, _turns.Begin().Acquire(_person, userId));

    /// <summary>One open turn; disposing of it closes it.</summary>
    internal sealed class TurnPermit(TurnLimits limits, UsageLimiter.Permit permit) : IDisposable
    {
        /// <summary>Its agent and organization, when the database has said that they are the person's.</summary>
        /// <exception cref="WeirException">WR008.</exception>
        public void Enter(Guid organizationId, Guid? agentId)
        {
            if (agentId is { } agent)
            {
                permit.Acquire(limits._agent, agent);
            }

            permit.Acquire(limits._organization, organizationId);
        }

        public void Dispose() => permit.Dispose();
    }
}
